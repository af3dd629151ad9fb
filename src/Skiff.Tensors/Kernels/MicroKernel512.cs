using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// The tile of 12 x 32 in 512-bit vectors: 24 sums, two vectors of b and one value of a in 32 registers. Each step of 24 fused
/// multiply-adds takes 14 loads, so loads do not limit it; 8 x 48 and 6 x 64 measured a little slower. Numbers of b may be whole and narrow.
/// </summary>
internal static unsafe class MicroKernel512
{
    public const int Rows = 12;

    /// <inheritdoc cref="MicroKernel"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile<TRows, TNumbers>(nint length, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate, float* ahead, nint aheadStep)
        where TRows : struct, IRowCount
        where TNumbers : struct, INumbers
    {
        byte* from = (byte*)b;
        bStep *= TNumbers.Size;
        // Three rows share a pointer: base, base + aRow, base + 2 aRow are address forms the processor has.
        nint two = 2 * aRow;
        float* a0 = a, a1 = a + 3 * aRow, a2 = a + 6 * aRow, a3 = a + 9 * aRow;
        for (int row = 0; row < TRows.Value; row++)
        {
            // The tile of C arrives while the sums are made.
            PanelPacking.Ahead(c + row * cRow);
            PanelPacking.Ahead(c + row * cRow + 16);
        }

        Vector512<float> c0x = Vector512<float>.Zero, c0y = Vector512<float>.Zero;
        Vector512<float> c1x = Vector512<float>.Zero, c1y = Vector512<float>.Zero;
        Vector512<float> c2x = Vector512<float>.Zero, c2y = Vector512<float>.Zero;
        Vector512<float> c3x = Vector512<float>.Zero, c3y = Vector512<float>.Zero;
        Vector512<float> c4x = Vector512<float>.Zero, c4y = Vector512<float>.Zero;
        Vector512<float> c5x = Vector512<float>.Zero, c5y = Vector512<float>.Zero;
        Vector512<float> c6x = Vector512<float>.Zero, c6y = Vector512<float>.Zero;
        Vector512<float> c7x = Vector512<float>.Zero, c7y = Vector512<float>.Zero;
        Vector512<float> c8x = Vector512<float>.Zero, c8y = Vector512<float>.Zero;
        Vector512<float> c9x = Vector512<float>.Zero, c9y = Vector512<float>.Zero;
        Vector512<float> c10x = Vector512<float>.Zero, c10y = Vector512<float>.Zero;
        Vector512<float> c11x = Vector512<float>.Zero, c11y = Vector512<float>.Zero;
        while (length > 0)
        {
            PanelPacking.Ahead(ahead);
            ahead += aheadStep;
            nint stop = Math.Max(0, length - TNumbers.AheadSteps);
            for (; length > stop; length--)
            {
                Vector512<float> bx = TNumbers.Load(from), by = TNumbers.Load(from + 16 * TNumbers.Size), value = Vector512.Create(*a0);
                c0x = Vector512.FusedMultiplyAdd(value, bx, c0x);
                c0y = Vector512.FusedMultiplyAdd(value, by, c0y);
                if (TRows.Value > 1)
                {
                    value = Vector512.Create(a0[aRow]);
                    c1x = Vector512.FusedMultiplyAdd(value, bx, c1x);
                    c1y = Vector512.FusedMultiplyAdd(value, by, c1y);
                }

                if (TRows.Value > 2)
                {
                    value = Vector512.Create(a0[two]);
                    c2x = Vector512.FusedMultiplyAdd(value, bx, c2x);
                    c2y = Vector512.FusedMultiplyAdd(value, by, c2y);
                }

                if (TRows.Value > 3)
                {
                    value = Vector512.Create(*a1);
                    c3x = Vector512.FusedMultiplyAdd(value, bx, c3x);
                    c3y = Vector512.FusedMultiplyAdd(value, by, c3y);
                }

                if (TRows.Value > 4)
                {
                    value = Vector512.Create(a1[aRow]);
                    c4x = Vector512.FusedMultiplyAdd(value, bx, c4x);
                    c4y = Vector512.FusedMultiplyAdd(value, by, c4y);
                }

                if (TRows.Value > 5)
                {
                    value = Vector512.Create(a1[two]);
                    c5x = Vector512.FusedMultiplyAdd(value, bx, c5x);
                    c5y = Vector512.FusedMultiplyAdd(value, by, c5y);
                }

                if (TRows.Value > 6)
                {
                    value = Vector512.Create(*a2);
                    c6x = Vector512.FusedMultiplyAdd(value, bx, c6x);
                    c6y = Vector512.FusedMultiplyAdd(value, by, c6y);
                }

                if (TRows.Value > 7)
                {
                    value = Vector512.Create(a2[aRow]);
                    c7x = Vector512.FusedMultiplyAdd(value, bx, c7x);
                    c7y = Vector512.FusedMultiplyAdd(value, by, c7y);
                }

                if (TRows.Value > 8)
                {
                    value = Vector512.Create(a2[two]);
                    c8x = Vector512.FusedMultiplyAdd(value, bx, c8x);
                    c8y = Vector512.FusedMultiplyAdd(value, by, c8y);
                }

                if (TRows.Value > 9)
                {
                    value = Vector512.Create(*a3);
                    c9x = Vector512.FusedMultiplyAdd(value, bx, c9x);
                    c9y = Vector512.FusedMultiplyAdd(value, by, c9y);
                }

                if (TRows.Value > 10)
                {
                    value = Vector512.Create(a3[aRow]);
                    c10x = Vector512.FusedMultiplyAdd(value, bx, c10x);
                    c10y = Vector512.FusedMultiplyAdd(value, by, c10y);
                }

                if (TRows.Value > 11)
                {
                    value = Vector512.Create(a3[two]);
                    c11x = Vector512.FusedMultiplyAdd(value, bx, c11x);
                    c11y = Vector512.FusedMultiplyAdd(value, by, c11y);
                }

                a0 += aStep;
                a1 += aStep;
                a2 += aStep;
                a3 += aStep;
                from += bStep;
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
        if (TRows.Value > 6)
            Put(c + 6 * cRow, c6x, c6y, accumulate);
        if (TRows.Value > 7)
            Put(c + 7 * cRow, c7x, c7y, accumulate);
        if (TRows.Value > 8)
            Put(c + 8 * cRow, c8x, c8y, accumulate);
        if (TRows.Value > 9)
            Put(c + 9 * cRow, c9x, c9y, accumulate);
        if (TRows.Value > 10)
            Put(c + 10 * cRow, c10x, c10y, accumulate);
        if (TRows.Value > 11)
            Put(c + 11 * cRow, c11x, c11y, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector512<float> x, Vector512<float> y, bool accumulate)
    {
        if (accumulate)
        {
            x += Vector512.Load(c);
            y += Vector512.Load(c + 16);
        }

        x.Store(c);
        y.Store(c + 16);
    }
}
