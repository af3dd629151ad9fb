using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// One row of activations times one to four panels side by side: four streams keep memory busier than one, and the row is unpacked once for
/// all. The steps are those of <see cref="PanelProduct512"/>, so bits are too.
/// </summary>
internal static unsafe class PanelRow512
{
    /// <summary>Panels that pass at a time.</summary>
    public const int Panels = 4;

    private const int Distance = 2048, RecordDistance = 128;

    /// <summary>Panels times a tile of one row.</summary>
    /// <param name="codes">The first panel's blocks; its scales lie behind them.</param>
    /// <param name="panelBytes">From one panel to the next.</param>
    /// <param name="panels">1 to 4.</param>
    /// <param name="blocks">K / 32.</param>
    /// <param name="x">The tile (<see cref="Activations"/>).</param>
    /// <param name="sums">[panels, 16], overwritten.</param>
    public static void Multiply<TCodes, TScales>(byte* codes, long panelBytes, int panels, int blocks, byte* x, float* sums)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        if (panels == Panels)
            Run<Four, TCodes, TScales>(codes, panelBytes, blocks, x, sums);
        else
            for (int p = 0; p < panels; p++)
                Run<One, TCodes, TScales>(codes + p * panelBytes, panelBytes, blocks, x, sums + 16 * p);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TPanels, TCodes, TScales>(byte* codes, long panelBytes, int blocks, byte* x, float* sums)
        where TPanels : struct, IRowCount
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a;
        Vector512<float> scaleA = a, scaleB = a, scaleC = a, scaleD = a, minimumA = a, minimumB = a, minimumC = a, minimumD = a;
        nint stride = (nint)panelBytes;
        byte* records = codes + (long)blocks * 64 * TCodes.Bits;
        for (int block = 0; block < blocks; block++, x += Activations.BlockBytes)
        {
            Vector512<sbyte> x0 = Four(x), x1 = Four(x + 4), x2 = Four(x + 8), x3 = Four(x + 12), x4 = Four(x + 16), x5 = Four(x + 20), x6 = Four(x + 24), x7 = Four(x + 28);
            float* factors = (float*)(x + BlockMath.Group);
            int inner = block % TScales.Blocks;
            if (inner == 0)
            {
                (scaleA, minimumA) = (TScales.Factor(records), TScales.MinimumFactor(records));
                if (TPanels.Value > 1)
                {
                    (scaleB, minimumB) = (TScales.Factor(records + stride), TScales.MinimumFactor(records + stride));
                    (scaleC, minimumC) = (TScales.Factor(records + 2 * stride), TScales.MinimumFactor(records + 2 * stride));
                    (scaleD, minimumD) = (TScales.Factor(records + 3 * stride), TScales.MinimumFactor(records + 3 * stride));
                }
            }

            a = Block<TCodes, TScales>(codes, records, inner, a, x0, x1, x2, x3, x4, x5, x6, x7, factors, scaleA, minimumA);
            if (TPanels.Value > 1)
            {
                b = Block<TCodes, TScales>(codes + stride, records + stride, inner, b, x0, x1, x2, x3, x4, x5, x6, x7, factors, scaleB, minimumB);
                c = Block<TCodes, TScales>(codes + 2 * stride, records + 2 * stride, inner, c, x0, x1, x2, x3, x4, x5, x6, x7, factors, scaleC, minimumC);
                d = Block<TCodes, TScales>(codes + 3 * stride, records + 3 * stride, inner, d, x0, x1, x2, x3, x4, x5, x6, x7, factors, scaleD, minimumD);
            }

            codes += 64 * TCodes.Bits;
            if (inner == TScales.Blocks - 1)
                records += TScales.Bytes;
        }

        a.Store(sums);
        if (TPanels.Value > 1)
        {
            b.Store(sums + 16);
            c.Store(sums + 32);
            d.Store(sums + 48);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Block<TCodes, TScales>(
        byte* codes, byte* records, int inner, Vector512<float> sum, Vector512<sbyte> x0, Vector512<sbyte> x1, Vector512<sbyte> x2, Vector512<sbyte> x3,
        Vector512<sbyte> x4, Vector512<sbyte> x5, Vector512<sbyte> x6, Vector512<sbyte> x7, float* factors, Vector512<float> scale, Vector512<float> minimum)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Sse.Prefetch0(records + RecordDistance);
        Vector512<short> p0 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 0), x0), p1 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 1), x1);
        Vector512<short> p2 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 2), x2), p3 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 3), x3);
        Vector512<short> p4 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 4), x4), p5 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 5), x5);
        Vector512<short> p6 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 6), x6), p7 = Avx512BW.MultiplyAddAdjacent(Group<TCodes>(codes, 7), x7);
        return PanelProduct512.Add<TCodes, TScales>(
            p0, p1, p2, p3, p4, p5, p6, p7, TScales.Scale(records, inner, scale), TScales.Minimum(records, inner, minimum), TScales.First(records, inner),
            TScales.Second(records, inner), TScales.Correction(records, inner), factors, 1, sum);
    }

    // Asks memory for a later line beside each: all of them at once would have to queue.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Group<TCodes>(byte* codes, int g)
        where TCodes : struct, IPanelCodes
    {
        if (g < TCodes.Bits)
            Sse.Prefetch0(codes + Distance + 64 * g);
        return TCodes.Group(codes, g);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<sbyte> Four(byte* q) => Vector512.Create(*(int*)q).AsSByte();
}
