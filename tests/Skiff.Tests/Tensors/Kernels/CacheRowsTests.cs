using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class CacheRowsTests
{
    [Theory]
    [InlineData(TensorType.F32, 0)]
    [InlineData(TensorType.I16, short.MaxValue)]
    [InlineData(TensorType.I8, sbyte.MaxValue)]
    public void ARowIsKeptToHalfAStepOfItsGreatestValue(TensorType type, int greatest)
    {
        Random random = new(1);
        foreach (int width in new[] { 1, 3, 15, 16, 17, 64, 96, 250 })
        {
            KeyValueShape shape = new(1, width, width, type);
            byte[] page = new byte[shape.PageBytes];
            random.NextBytes(page);
            float[] rows = [.. Enumerable.Range(0, 5 * width).Select(i => (float)((random.NextDouble() - 0.5) * Math.Pow(10, i / width * 3 - 6)))];
            // All zero, and too small to have an inverse.
            rows.AsSpan(2 * width, width).Clear();
            rows.AsSpan(3 * width, width).Fill(1e-38f);
            foreach (bool isKey in new[] { true, false })
            {
                int lane = random.Next(60);
                fixed (byte* tile = page)
                fixed (float* data = rows)
                    CacheRows.Write(type, new MatrixView(data, 5, width), tile, lane, isKey);
                for (int r = 0; r < 5; r++)
                {
                    float most = rows.Skip(r * width).Take(width).Max(Math.Abs);
                    for (int i = 0; i < width; i++)
                    {
                        double error = Math.Abs(Read(shape, page, lane + r, i, isKey) - rows[r * width + i]);
                        Assert.True(type == TensorType.F32 || r == 3 ? error <= 1e-37 : error <= most / greatest * 0.51, $"{type} {width} row {r}: off by {error} of {most}");
                    }
                }
            }
        }
    }

    // Of rows as keys are: alike in size, or a few far larger than the rest. Measured by the length of the error, as products see it.
    [Theory]
    [InlineData(1, 4)]
    [InlineData(30, 1.5)]
    [InlineData(1000, 1.5)]
    public void SixteenBitsErrLessThanHalfPrecision(float outlier, double atLeast)
    {
        Random random = new(1);
        KeyValueShape shape = new(1, 64, 64, TensorType.I16);
        byte[] page = new byte[shape.PageBytes];
        double own = 0, halves = 0;
        for (int row = 0; row < 200; row++)
        {
            float[] values = [.. Enumerable.Range(0, 64).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
            values[5] *= outlier;
            fixed (byte* tile = page)
            fixed (float* data = values)
                CacheRows.Write(TensorType.I16, new MatrixView(data, 1, 64), tile, row % 64, isKey: true);
            for (int i = 0; i < 64; i++)
            {
                own += Math.Pow(Read(shape, page, row % 64, i, isKey: true) - values[i], 2);
                halves += Math.Pow((double)(Half)values[i] - values[i], 2);
            }
        }

        Assert.True(Math.Sqrt(halves / own) > atLeast, $"{Math.Sqrt(halves / own):0.00} times less");
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.I16)]
    [InlineData(TensorType.I8)]
    public void WhatIsNoNumberStaysNone(TensorType type)
    {
        KeyValueShape shape = new(1, 20, 20, type);
        byte[] page = new byte[shape.PageBytes];
        foreach (float value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            float[] row = [.. Enumerable.Repeat(1f, 20)];
            row[18] = value;
            fixed (byte* tile = page)
            fixed (float* data = row)
                CacheRows.Write(type, new MatrixView(data, 1, 20), tile, 7, isKey: true);
            Assert.False(double.IsFinite(Read(shape, page, 7, 18, isKey: true)));
        }
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.I16)]
    [InlineData(TensorType.I8)]
    public void ClearingLeavesWhatComesBefore(TensorType type)
    {
        KeyValueShape shape = new(1, 5, 9, type);
        foreach (bool isKey in new[] { true, false })
        {
            foreach (int lane in new[] { 0, 1, 37, 63, 64 })
            {
                byte[] page = new byte[isKey ? shape.KeyBytes : shape.ValueBytes];
                Array.Fill(page, (byte)1);
                CacheRows.Clear(shape, page, lane, isKey);
                int width = isKey ? 5 : 9;
                for (int position = 0; position < 64; position++)
                {
                    for (int i = 0; i < width; i++)
                        Assert.Equal(position >= lane, Read(shape, page, position, i, isKey) == 0);
                }
            }
        }
    }

    // By the layout's definition.
    private static double Read(KeyValueShape shape, byte[] page, int lane, int i, bool isKey)
    {
        int width = isKey ? shape.HeadDim : shape.ValueDim, at = isKey ? i * 64 + lane : lane * width + i;
        return shape.Type switch
        {
            TensorType.F32 => BitConverter.ToSingle(page, 4 * at),
            TensorType.I16 => (double)BitConverter.ToInt16(page, 2 * at) * BitConverter.ToSingle(page, 2 * 64 * width + 4 * lane),
            _ => (double)(sbyte)page[at] * BitConverter.ToSingle(page, 64 * width + 4 * lane),
        };
    }
}
