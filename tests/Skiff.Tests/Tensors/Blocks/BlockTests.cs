using System.Buffers.Binary;
using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class BlockTests
{
    public static readonly TheoryData<TensorType> Types =
        [TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1, TensorType.Q8_0, TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K];

    // Zeros, the least and greatest denormals and normals, infinities and a NaN of half precision.
    private static readonly ushort[] ExtremeScales = [0, 0x8000, 1, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00];

    [Theory]
    [MemberData(nameof(Types))]
    public void DecodingEqualsTheLayoutReadNaivelyBitForBit(TensorType type)
    {
        Random random = new(7);
        int length = type.BlockLength();
        const int Blocks = 500;
        byte[] bytes = new byte[Blocks * type.BlockBytes()];
        random.NextBytes(bytes);
        for (int b = 0; b < Blocks; b += 2)
            foreach (int at in ScalesOf(type))
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan((b * type.BlockBytes()) + at), ExtremeScales[random.Next(ExtremeScales.Length)]);
        float[] decoded = new float[Blocks * length];
        NumberFormats.Decode(type, bytes, decoded);
        for (int i = 0; i < decoded.Length; i++)
        {
            byte[] block = bytes[(i / length * type.BlockBytes())..((i / length * type.BlockBytes()) + type.BlockBytes())];
            AssertSameBits(NaiveBlocks.Value(type, block, i % length), decoded[i], i);
        }
    }

    // The figures are those of the reference quantizers of ggml (quantize_row_*_ref, compiled without contraction of
    // products and sums) on the same 65,536 values; Hash is FNV-1a over the bytes they write.
    [Theory]
    [InlineData(TensorType.Q4_0, 0.085568855648651743, 0xbe385a135c07d574)]
    [InlineData(TensorType.Q4_1, 0.077905402611550975, 0x6dee22f299b91e1c)]
    [InlineData(TensorType.Q5_0, 0.042381554601524013, 0x3fa76a1ee3081419)]
    [InlineData(TensorType.Q5_1, 0.037707986786840911, 0x1d5f1db98cf6ac75)]
    [InlineData(TensorType.Q8_0, 0.0053302129501205924, 0x9b97acb23ea00b82)]
    [InlineData(TensorType.Q4_K, 0.071043529480123616, 0x9e665a01fd4980f4)]
    [InlineData(TensorType.Q5_K, 0.035813049308371127, 0x144a8d1215ef5827)]
    [InlineData(TensorType.Q6_K, 0.017667561938790481, 0x4373dbb6fa7dc848)]
    public void EncodingIsNoWorseThanTheReferenceAndWritesTheSameBytes(TensorType type, double referenceRmse, ulong referenceHash)
    {
        float[] values = Gaussian(65536), back = new float[65536];
        byte[] bytes = new byte[type.ByteLength(values.Length)];
        NumberFormats.Encode(type, values, bytes);
        NumberFormats.Decode(type, bytes, back);
        double rmse = Math.Sqrt(values.Zip(back, (x, y) => Math.Pow((double)y - x, 2)).Average());
        Assert.True(rmse <= referenceRmse * (1 + 1e-6), $"{type.Name()}: RMSE {rmse:R}, reference {referenceRmse:R}");
        Assert.Equal(referenceHash.ToString("x16"), Hash(bytes).ToString("x16"));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void AnyRowOfWholeBlocksSurvivesWithinItsStep(TensorType type)
    {
        // Of the block's greatest magnitude, the most that any value may be off.
        double step = type switch
        {
            TensorType.Q8_0 => 0.0045,
            TensorType.Q6_K => 0.035,
            TensorType.Q5_0 or TensorType.Q5_1 or TensorType.Q5_K => 0.07,
            _ => 0.14,
        };
        // Half precision's spacing near zero, times the largest product of code and scale.
        const double Least = 128 * 32 * 3e-8;
        Gen.Select(Gen.Int[0, 5], Gen.Double[-6, 4], Gen.Int[0, 1 << 20]).Sample((blocks, exponent, seed) =>
        {
            Random random = new(seed);
            float size = (float)Math.Pow(10, exponent);
            float[] values = [.. Enumerable.Range(0, blocks * type.BlockLength()).Select(_ => (float)((random.NextDouble() * 2) - 1) * size)];
            float[] back = new float[values.Length];
            byte[] bytes = new byte[type.ByteLength(values.Length)];
            NumberFormats.Encode(type, values, bytes);
            NumberFormats.Decode(type, bytes, back);
            return values.Zip(back, (x, y) => Math.Abs(x - y)).All(difference => difference <= (step * size) + Least);
        }, iter: 200);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void ZerosStayZerosAndRefusedLengthsThrow(TensorType type)
    {
        float[] back = new float[type.BlockLength()];
        byte[] bytes = new byte[type.BlockBytes()];
        Array.Fill(bytes, (byte)0xA5);
        NumberFormats.Encode(type, new float[back.Length], bytes);
        NumberFormats.Decode(type, bytes, back);
        Assert.All(back, value => Assert.Equal(0f, value));
        Assert.Throws<ArgumentException>(() => NumberFormats.Decode(type, bytes, new float[back.Length - 1]));
        Assert.Throws<ArgumentException>(() => NumberFormats.Encode(type, new float[back.Length], new byte[bytes.Length - 1]));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void DamageStaysVisibleInItsBlockAlone(TensorType type)
    {
        int length = type.BlockLength();
        foreach (float damage in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            float[] values = new float[3 * length], back = new float[3 * length];
            Array.Fill(values, 0.5f);
            values[length + 5] = damage;
            byte[] bytes = new byte[type.ByteLength(values.Length)];
            NumberFormats.Encode(type, values, bytes);
            NumberFormats.Decode(type, bytes, back);
            for (int i = 0; i < back.Length; i++)
                Assert.Equal(i / length == 1, float.IsNaN(back[i]));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void TheLeastAndGreatestFiniteNumbersAreEncodedAlikeEveryTime(TensorType type)
    {
        foreach (float size in new[] { float.Epsilon, 1e-40f, 1e-20f, 1e10f, float.MaxValue })
        {
            float[] values = [.. Enumerable.Range(0, type.BlockLength()).Select(i => (i % 3 - 1) * size)];
            byte[] first = new byte[type.BlockBytes()], second = new byte[type.BlockBytes()];
            Array.Fill(second, (byte)0xFF);
            NumberFormats.Encode(type, values, first);
            NumberFormats.Encode(type, values, second);
            Assert.Equal(first, second);
        }
    }

    private static int[] ScalesOf(TensorType type) => type switch
    {
        TensorType.Q4_1 or TensorType.Q5_1 or TensorType.Q4_K or TensorType.Q5_K => [0, 2],
        TensorType.Q6_K => [208],
        _ => [0],
    };

    // Sums of 48 uniform numbers (xorshift64 from 1, upper 24 bits), brought to mean 0 and deviation 1: exact in any language.
    private static float[] Gaussian(int count)
    {
        ulong state = 1;
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            long sum = 0;
            for (int k = 0; k < 48; k++)
            {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                sum += (long)(state >> 40);
            }

            values[i] = (float)((sum - (48L << 23)) / (double)(1 << 25));
        }

        return values;
    }

    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in bytes)
            hash = (hash ^ b) * 1099511628211;
        return hash;
    }

    private static void AssertSameBits(float expected, float actual, int i)
    {
        if (float.IsNaN(expected) && float.IsNaN(actual))
            return;
        Assert.True(BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual), $"value {i}: {actual:R} is not {expected:R}");
    }
}
