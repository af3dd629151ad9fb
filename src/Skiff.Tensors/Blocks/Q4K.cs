using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 256 values in 144 bytes: half scales d and e, eight 6-bit scales and minima in 12 bytes, then four runs of 32 bytes
/// with a group of 32 values in the low and the next in the high four bits. value = d * scale * code - e * minimum.
/// </summary>
internal static class Q4K
{
    private const int Bytes = 144, CodesAt = 16;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[KBlocks.Block..])
        {
            float scales = BlockMath.Half(source), minima = BlockMath.Half(source[2..]);
            for (int g = 0; g < 8; g++)
            {
                (int scale, int minimum) = KBlocks.Unpack(source[4..], g);
                ReadOnlySpan<byte> codes = source.Slice(CodesAt + (g / 2 * 32), 32);
                for (int half = 0; half < 32; half += 16)
                {
                    Vector128<byte> pairs = BlockMath.Load(codes[half..]);
                    pairs = g % 2 == 0 ? pairs & Vector128.Create((byte)15) : pairs >> 4;
                    BlockMath.Scale(pairs, scales * scale, -(minima * minimum), destination[((g * 32) + half)..]);
                }
            }
        }
    }

    /// <summary>Whole blocks from floats, with an importance of each value or none at all.</summary>
    public static void Encode(ReadOnlySpan<float> source, ReadOnlySpan<float> importance, Span<byte> destination)
    {
        Span<byte> codes = stackalloc byte[KBlocks.Block];
        for (int at = 0; at < source.Length; at += KBlocks.Block, destination = destination[Bytes..])
        {
            ReadOnlySpan<float> values = source.Slice(at, KBlocks.Block), weights = importance.IsEmpty ? [] : importance.Slice(at, KBlocks.Block);
            if (BlockMath.IsDamaged(values, destination[..Bytes], 0))
                continue;
            (Vector256<float> scales, Vector256<float> minima) = KBlocks.Fit(values, weights, 15, -1f, 20, isMinimumFree: false);
            KBlocks.Quantize(values, 15, scales, minima, destination, codes);
            for (int run = 0; run < 4; run++)
            {
                ReadOnlySpan<byte> pair = codes.Slice(run * 64, 64);
                (Vector256.Create(pair) | (Vector256.Create(pair[32..]) << 4)).CopyTo(destination[(CodesAt + (run * 32))..]);
            }
        }
    }
}
