using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 256 values in 176 bytes: half scales d and e, eight 6-bit scales and minima in 12 bytes, 32 bytes whose bit g is the
/// fifth bit of the codes of group g, then four runs of 32 bytes with the low four bits of a group of 32 values and,
/// above them, of the next. value = d * scale * code - e * minimum.
/// </summary>
internal static class Q5K
{
    private const int Bytes = 176, FifthAt = 16, CodesAt = 48;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[KBlocks.Block..])
        {
            float scales = BlockMath.Half(source), minima = BlockMath.Half(source[2..]);
            for (int g = 0; g < 8; g++)
            {
                (int scale, int minimum) = KBlocks.Unpack(source[4..], g);
                for (int half = 0; half < 32; half += 16)
                {
                    Vector128<byte> pairs = BlockMath.Load(source[(CodesAt + (g / 2 * 32) + half)..]);
                    pairs = g % 2 == 0 ? pairs & Vector128.Create((byte)15) : pairs >> 4;
                    Vector128<byte> fifth = (BlockMath.Load(source[(FifthAt + half)..]) >> g) & Vector128<byte>.One;
                    BlockMath.Scale(pairs | (fifth << 4), scales * scale, -(minima * minimum), destination[((g * 32) + half)..]);
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
            (Vector256<float> scales, Vector256<float> minima) = KBlocks.Fit(values, weights, 31, -0.5f, 15, isMinimumFree: false);
            KBlocks.Quantize(values, 31, scales, minima, destination, codes);
            Vector256<byte> fifth = default, low = Vector256.Create((byte)15);
            for (int run = 0; run < 4; run++)
            {
                Vector256<byte> first = Vector256.Create(codes.Slice(run * 64, 32)), second = Vector256.Create(codes.Slice((run * 64) + 32, 32));
                fifth |= ((first >> 4) << (2 * run)) | ((second >> 4) << ((2 * run) + 1));
                ((first & low) | ((second & low) << 4)).CopyTo(destination[(CodesAt + (run * 32))..]);
            }

            fifth.CopyTo(destination[FifthAt..]);
        }
    }
}
