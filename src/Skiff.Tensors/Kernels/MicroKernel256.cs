using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// The tile of 6 x 16 in 256-bit vectors: 12 sums, two vectors of b and one value of a fill the 16 registers of AVX2.
/// </summary>
internal static unsafe class MicroKernel256
{
    public const int Rows = 6;

    /// <inheritdoc cref="MicroKernel"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile<TRows>(nint length, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate, float* ahead, nint aheadStep)
        where TRows : struct, IRowCount
    {
        // Three rows share a pointer: base, base + aRow, base + 2 aRow are address forms the processor has.
        nint two = 2 * aRow;
        float* a0 = a, a1 = a + 3 * aRow;
        for (int row = 0; row < TRows.Value; row++)
        {
            // The tile of C arrives while the sums are made.
            PanelPacking.Ahead(c + row * cRow);
        }

        Vector256<float> c0x = Vector256<float>.Zero, c0y = Vector256<float>.Zero;
        Vector256<float> c1x = Vector256<float>.Zero, c1y = Vector256<float>.Zero;
        Vector256<float> c2x = Vector256<float>.Zero, c2y = Vector256<float>.Zero;
        Vector256<float> c3x = Vector256<float>.Zero, c3y = Vector256<float>.Zero;
        Vector256<float> c4x = Vector256<float>.Zero, c4y = Vector256<float>.Zero;
        Vector256<float> c5x = Vector256<float>.Zero, c5y = Vector256<float>.Zero;
        while (length > 0)
        {
            PanelPacking.Ahead(ahead);
            ahead += aheadStep;
            nint stop = Math.Max(0, length - MicroKernel.AheadSteps);
            for (; length > stop; length--)
            {
                Vector256<float> bx = Vector256.Load(b), by = Vector256.Load(b + 8), value = Vector256.Create(*a0);
                c0x = Vector256.FusedMultiplyAdd(value, bx, c0x);
                c0y = Vector256.FusedMultiplyAdd(value, by, c0y);
                if (TRows.Value > 1)
                {
                    value = Vector256.Create(a0[aRow]);
                    c1x = Vector256.FusedMultiplyAdd(value, bx, c1x);
                    c1y = Vector256.FusedMultiplyAdd(value, by, c1y);
                }

                if (TRows.Value > 2)
                {
                    value = Vector256.Create(a0[two]);
                    c2x = Vector256.FusedMultiplyAdd(value, bx, c2x);
                    c2y = Vector256.FusedMultiplyAdd(value, by, c2y);
                }

                if (TRows.Value > 3)
                {
                    value = Vector256.Create(*a1);
                    c3x = Vector256.FusedMultiplyAdd(value, bx, c3x);
                    c3y = Vector256.FusedMultiplyAdd(value, by, c3y);
                }

                if (TRows.Value > 4)
                {
                    value = Vector256.Create(a1[aRow]);
                    c4x = Vector256.FusedMultiplyAdd(value, bx, c4x);
                    c4y = Vector256.FusedMultiplyAdd(value, by, c4y);
                }

                if (TRows.Value > 5)
                {
                    value = Vector256.Create(a1[two]);
                    c5x = Vector256.FusedMultiplyAdd(value, bx, c5x);
                    c5y = Vector256.FusedMultiplyAdd(value, by, c5y);
                }

                a0 += aStep;
                a1 += aStep;
                b += bStep;
            }
        }

        Put(c, c0x, c0y, accumulate);
        if (TRows.Value > 1)
            Put(c + cRow, c1x, c1y, accumulate);
        if (TRows.Value > 2)
            Put(c + 2 * cRow, c2x, c2y, accumulate);
        if (TRows.Value > 3)
            Put(c + 3 * cRow, c3x, c3y, accumulate);
        if (TRows.Value > 4)
            Put(c + 4 * cRow, c4x, c4y, accumulate);
        if (TRows.Value > 5)
            Put(c + 5 * cRow, c5x, c5y, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector256<float> x, Vector256<float> y, bool accumulate)
    {
        if (accumulate)
        {
            x += Vector256.Load(c);
            y += Vector256.Load(c + 8);
        }

        x.Store(c);
        y.Store(c + 8);
    }
}
