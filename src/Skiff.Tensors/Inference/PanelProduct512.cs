using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// Codes of 4 to 6 bits times activations of 8 bits in 512-bit vectors. A block's codes of all 16 outputs lie in eight registers while the
/// rows pass. Products of pairs are summed in 16 bits as long as none can leave them (8 vectors of 4 bits: 8 x 2 x 15 x 127 = 30,480;
/// 4 of 5 bits: 31,496; 2 of 6 bits: 32,004), then in 32. The same steps for one row as for many, so bits do not depend on the number.
/// </summary>
internal static unsafe class PanelProduct512
{
    /// <summary>Bytes between what is computed and what is asked of memory.</summary>
    public const int Distance = 12288;

    /// <summary>The same for scales.</summary>
    private const int RecordDistance = 1024;

    /// <summary>One panel times one tile of rows.</summary>
    /// <param name="codes">The panel's blocks.</param>
    /// <param name="records">Its scales.</param>
    /// <param name="blocks">K / 32.</param>
    /// <param name="x">The tile (<see cref="Activations"/>).</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="sums">[rows, 16], overwritten.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TCodes, TScales>(byte* codes, byte* records, int blocks, byte* x, int rows, float* sums)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Vector512<float> single = Vector512<float>.Zero;
        for (int row = 0; row < rows; row++)
            Vector512<float>.Zero.Store(sums + 16 * row);
        for (int block = 0; block < blocks; block++)
        {
            Ahead<TCodes>(codes, records);
            Vector512<byte> w0 = TCodes.Group(codes, 0), w1 = TCodes.Group(codes, 1), w2 = TCodes.Group(codes, 2), w3 = TCodes.Group(codes, 3);
            Vector512<byte> w4 = TCodes.Group(codes, 4), w5 = TCodes.Group(codes, 5), w6 = TCodes.Group(codes, 6), w7 = TCodes.Group(codes, 7);
            int inner = block % TScales.Blocks;
            Vector512<float> scale = TScales.Scale(records, inner, TScales.Factor(records)), minimum = TScales.Minimum(records, inner, TScales.MinimumFactor(records));
            Vector512<short> first = TScales.First(records, inner), second = TScales.Second(records, inner), correction = TScales.Correction(records, inner);
            codes += 64 * TCodes.Bits;
            if (inner == TScales.Blocks - 1)
                records += TScales.Bytes;

            float* factors = (float*)(x + rows * BlockMath.Group);
            nint pairs = rows;
            if (rows == 1)
            {
                // Through memory, the sum would take longer than the block.
                single = Row<TCodes, TScales>(x, factors, 1, single, w0, w1, w2, w3, w4, w5, w6, w7, scale, minimum, first, second, correction);
            }
            else
            {
                float* sum = sums;
                for (byte* q = x, end = q + rows * BlockMath.Group; q < end; q += BlockMath.Group, factors++, sum += 16)
                    Row<TCodes, TScales>(q, factors, pairs, Vector512.Load(sum), w0, w1, w2, w3, w4, w5, w6, w7, scale, minimum, first, second, correction).Store(sum);
            }

            x += rows * Activations.BlockBytes;
        }

        if (rows == 1)
            single.Store(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Row<TCodes, TScales>(
        byte* q, float* factors, nint pairs, Vector512<float> sum, Vector512<byte> w0, Vector512<byte> w1, Vector512<byte> w2, Vector512<byte> w3,
        Vector512<byte> w4, Vector512<byte> w5, Vector512<byte> w6, Vector512<byte> w7,
        Vector512<float> scale, Vector512<float> minimum, Vector512<short> first, Vector512<short> second, Vector512<short> correction)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Vector512<short> p0 = Pairs(w0, q), p1 = Pairs(w1, q + 4), p2 = Pairs(w2, q + 8), p3 = Pairs(w3, q + 12);
        Vector512<short> p4 = Pairs(w4, q + 16), p5 = Pairs(w5, q + 20), p6 = Pairs(w6, q + 24), p7 = Pairs(w7, q + 28);
        return Add<TCodes, TScales>(p0, p1, p2, p3, p4, p5, p6, p7, scale, minimum, first, second, correction, factors, pairs, sum);
    }

    /// <summary>The eight sums of pairs of a block, joined and added to a row's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add<TCodes, TScales>(
        Vector512<short> p0, Vector512<short> p1, Vector512<short> p2, Vector512<short> p3, Vector512<short> p4, Vector512<short> p5, Vector512<short> p6, Vector512<short> p7,
        Vector512<float> scale, Vector512<float> minimum, Vector512<short> first, Vector512<short> second, Vector512<short> correction, float* factors, nint pairs, Vector512<float> sum)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Vector512<short> ones = Vector512<short>.One;
        Vector512<int> dot;
        if (TScales.HasHalves)
        {
            dot = Avx512BW.MultiplyAddAdjacent(p0 + p1, first) + Avx512BW.MultiplyAddAdjacent(p2 + p3, first)
                + (Avx512BW.MultiplyAddAdjacent(p4 + p5, second) + Avx512BW.MultiplyAddAdjacent(p6 + p7, second));
        }
        else if (TCodes.Bits == 5)
        {
            dot = Avx512BW.MultiplyAddAdjacent(p0 + p1 + (p2 + p3), ones) + Avx512BW.MultiplyAddAdjacent(p4 + p5 + (p6 + p7), ones);
        }
        else
        {
            dot = Avx512BW.MultiplyAddAdjacent(p0 + p1 + (p2 + p3) + (p4 + p5 + (p6 + p7)), ones);
        }

        if (TScales.HasHalves)
            dot -= Avx512BW.MultiplyAddAdjacent(Vector512.Create(*(int*)(factors + pairs)).AsInt16(), correction);
        sum = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(dot), scale * Vector512.Create(*factors), sum);
        return TScales.HasMinimum ? Vector512.FusedMultiplyAdd(minimum, Vector512.Create(factors[2 * pairs]), sum) : sum;
    }

    /// <summary>Asks memory for a block; only a hint, so an address outside does no harm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ahead<TCodes>(byte* codes, byte* records)
        where TCodes : struct, IPanelCodes
    {
        Sse.Prefetch0(records + RecordDistance);
        Sse.Prefetch0(codes + Distance);
        Sse.Prefetch0(codes + Distance + 64);
        Sse.Prefetch0(codes + Distance + 128);
        Sse.Prefetch0(codes + Distance + 192);
        if (TCodes.Bits > 4)
            Sse.Prefetch0(codes + Distance + 256);
        if (TCodes.Bits > 5)
            Sse.Prefetch0(codes + Distance + 320);
        if (TCodes.Bits > 6)
        {
            Sse.Prefetch0(codes + Distance + 384);
            Sse.Prefetch0(codes + Distance + 448);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Pairs(Vector512<byte> weights, byte* q) =>
        Avx512BW.MultiplyAddAdjacent(weights, Vector512.Create(*(int*)q).AsSByte());
}
