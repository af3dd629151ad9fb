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
                    CacheRows.Write(shape, new MatrixView(data, 5, width), new KeyValueTile(tile, shape, 64), 0, lane, isKey);
                for (int r = 0; r < 5; r++)
                {
                    float most = rows.Skip(r * width).Take(width).Max(Math.Abs);
                    for (int i = 0; i < width; i++)
                    {
                        double error = Math.Abs(Read(shape, isKey ? page : page[shape.KeyBytes(64)..], lane + r, i, isKey) - rows[r * width + i]);
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
                CacheRows.Write(shape, new MatrixView(data, 1, 64), new KeyValueTile(tile, shape, 64), 0, row % 64, isKey: true);
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
                CacheRows.Write(shape, new MatrixView(data, 1, 20), new KeyValueTile(tile, shape, 64), 0, 7, isKey: true);
            Assert.False(double.IsFinite(Read(shape, page, 7, 18, isKey: true)));
        }
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.I16)]
    [InlineData(TensorType.I8)]
    public void ClearingLeavesTheOtherLanes(TensorType type)
    {
        KeyValueShape shape = new(1, 5, 9, type);
        foreach (bool isKey in new[] { true, false })
        {
            foreach ((int lanes, int from, int to) in new[] { (64, 0, 64), (64, 0, 1), (64, 37, 64), (64, 5, 11), (7, 2, 7), (7, 0, 3), (40, 39, 40), (13, 4, 4) })
            {
                byte[] page = new byte[isKey ? shape.KeyBytes(lanes) : shape.ValueBytes(lanes)];
                Array.Fill(page, (byte)1);
                CacheRows.Clear(shape, page, lanes, from, to, isKey);
                for (int lane = 0; lane < lanes; lane++)
                {
                    for (int i = 0; i < (isKey ? 5 : 9); i++)
                        Assert.Equal(lane >= from && lane < to, Read(shape, page, lane, i, isKey, lanes) == 0);
                }
            }
        }
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.I16)]
    [InlineData(TensorType.I8)]
    public void ACopyIsWhatIsStoredInALaneOfAnotherTile(TensorType type)
    {
        Random random = new(2);
        KeyValueShape shape = new(3, 5, 7, type);
        byte[] from = new byte[shape.PageBytesOf(64)], to = new byte[shape.PageBytesOf(11)], before;
        random.NextBytes(from);
        random.NextBytes(to);
        before = [.. to];
        fixed (byte* source = from, target = to)
            CacheRows.Copy(shape, 1, new KeyValueTile(source, shape, 64), 50, new KeyValueTile(target, shape, 11), 3);
        for (int head = 0; head < 3; head++)
        {
            for (int lane = 0; lane < 11; lane++)
            {
                bool copied = head == 1 && lane == 3;
                for (int i = 0; i < 5; i++)
                    Assert.Equal(copied ? Key(from, 64, 50, i) : Key(before, 11, lane, i), Key(to, 11, lane, i));
                for (int i = 0; i < 7; i++)
                    Assert.Equal(copied ? Value(from, 64, 50, i) : Value(before, 11, lane, i), Value(to, 11, lane, i));

                double Key(byte[] page, int lanes, int at, int i) => Read(shape, page[(head * (shape.KeyBytes(lanes) + shape.ValueBytes(lanes)))..], at, i, isKey: true, lanes);

                double Value(byte[] page, int lanes, int at, int i) => Read(shape, page[(head * (shape.KeyBytes(lanes) + shape.ValueBytes(lanes)) + shape.KeyBytes(lanes))..], at, i, isKey: false, lanes);
            }
        }
    }

    // By the layout's definition.
    private static double Read(KeyValueShape shape, byte[] page, int lane, int i, bool isKey, int lanes = 64)
    {
        int width = isKey ? shape.HeadDim : shape.ValueDim, at = isKey ? i * lanes + lane : lane * width + i, scale = shape.NumbersBytes(lanes, width) + 4 * lane;
        return shape.Type switch
        {
            TensorType.F32 => BitConverter.ToSingle(page, 4 * at),
            TensorType.I16 => (double)BitConverter.ToInt16(page, 2 * at) * BitConverter.ToSingle(page, scale),
            _ => (double)(sbyte)page[at] * BitConverter.ToSingle(page, scale),
        };
    }
}
