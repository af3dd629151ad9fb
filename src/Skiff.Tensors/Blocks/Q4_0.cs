using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 32 values in 18 bytes: half scale d, then 16 bytes that hold value i in the low and value i + 16 in the high four
/// bits. value = (code - 8) * d; d is the value of greatest magnitude over -8.
/// </summary>
internal static class Q4_0
{
    private const int Bytes = 18;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[BlockMath.Group..])
        {
            float scale = BlockMath.Half(source);
            Vector128<byte> pairs = BlockMath.Load(source[2..]);
            Vector128<byte> middle = Vector128.Create((byte)8);
            BlockMath.Scale(((pairs & Vector128.Create((byte)15)) - middle).AsSByte(), scale, destination);
            BlockMath.Scale(((pairs >> 4) - middle).AsSByte(), scale, destination[16..]);
        }
    }

    /// <summary>Whole blocks from floats.</summary>
    public static void Encode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        for (; source.Length > 0; source = source[BlockMath.Group..], destination = destination[Bytes..])
        {
            ReadOnlySpan<float> values = source[..BlockMath.Group];
            if (BlockMath.IsDamaged(values, destination[..Bytes], 0))
                continue;
            Write(values, BlockMath.Extreme(values) / -8, destination);
        }
    }

    /// <summary>One block under a given d.</summary>
    public static void Write(ReadOnlySpan<float> values, float scale, Span<byte> block)
    {
        BlockMath.Half(block, scale);
        Vector256<byte> codes = BlockMath.Codes(values, 0, BlockMath.Inverse(scale), 8.5f, 15);
        (codes.GetLower() | (codes.GetUpper() << 4)).CopyTo(block[2..]);
    }
}
