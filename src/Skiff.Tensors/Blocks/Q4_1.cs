using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 32 values in 20 bytes: half scale d, half minimum m, then 16 bytes that hold value i in the low and value i + 16 in
/// the high four bits. value = code * d + m; the codes span least to greatest value.
/// </summary>
internal static class Q4_1
{
    private const int Bytes = 20;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[BlockMath.Group..])
        {
            float scale = BlockMath.Half(source), least = BlockMath.Half(source[2..]);
            Vector128<byte> pairs = BlockMath.Load(source[4..]);
            BlockMath.Scale(pairs & Vector128.Create((byte)15), scale, least, destination);
            BlockMath.Scale(pairs >> 4, scale, least, destination[16..]);
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
            float least = TensorPrimitives.Min(values);
            Write(values, (TensorPrimitives.Max(values) - least) / 15, least, destination);
        }
    }

    /// <summary>One block under a given d and m.</summary>
    public static void Write(ReadOnlySpan<float> values, float scale, float minimum, Span<byte> block)
    {
        BlockMath.Half(block, scale);
        BlockMath.Half(block[2..], minimum);
        Vector256<byte> codes = BlockMath.Codes(values, minimum, BlockMath.Inverse(scale), 0.5f, 15);
        (codes.GetLower() | (codes.GetUpper() << 4)).CopyTo(block[4..]);
    }
}
