using System.Numerics;
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// The tile of 6 rows by two vectors of whatever width the processor has. Where it cannot fuse, product and sum are rounded each.
/// </summary>
internal static unsafe class MicroKernelPortable
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

        Vector<float> c0x = Vector<float>.Zero, c0y = Vector<float>.Zero;
        Vector<float> c1x = Vector<float>.Zero, c1y = Vector<float>.Zero;
        Vector<float> c2x = Vector<float>.Zero, c2y = Vector<float>.Zero;
        Vector<float> c3x = Vector<float>.Zero, c3y = Vector<float>.Zero;
        Vector<float> c4x = Vector<float>.Zero, c4y = Vector<float>.Zero;
        Vector<float> c5x = Vector<float>.Zero, c5y = Vector<float>.Zero;
        while (length > 0)
        {
            PanelPacking.Ahead(ahead);
            ahead += aheadStep;
            nint stop = Math.Max(0, length - MicroKernel.AheadSteps);
            for (; length > stop; length--)
            {
                Vector<float> bx = Vector.Load(b), by = Vector.Load(b + Vector<float>.Count), value = Vector.Create(*a0);
                c0x = Vector.MultiplyAddEstimate(value, bx, c0x);
                c0y = Vector.MultiplyAddEstimate(value, by, c0y);
                if (TRows.Value > 1)
                {
                    value = Vector.Create(a0[aRow]);
                    c1x = Vector.MultiplyAddEstimate(value, bx, c1x);
                    c1y = Vector.MultiplyAddEstimate(value, by, c1y);
                }

                if (TRows.Value > 2)
                {
                    value = Vector.Create(a0[two]);
                    c2x = Vector.MultiplyAddEstimate(value, bx, c2x);
                    c2y = Vector.MultiplyAddEstimate(value, by, c2y);
                }

                if (TRows.Value > 3)
                {
                    value = Vector.Create(*a1);
                    c3x = Vector.MultiplyAddEstimate(value, bx, c3x);
                    c3y = Vector.MultiplyAddEstimate(value, by, c3y);
                }

                if (TRows.Value > 4)
                {
                    value = Vector.Create(a1[aRow]);
                    c4x = Vector.MultiplyAddEstimate(value, bx, c4x);
                    c4y = Vector.MultiplyAddEstimate(value, by, c4y);
                }

                if (TRows.Value > 5)
                {
                    value = Vector.Create(a1[two]);
                    c5x = Vector.MultiplyAddEstimate(value, bx, c5x);
                    c5y = Vector.MultiplyAddEstimate(value, by, c5y);
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
    private static void Put(float* c, Vector<float> x, Vector<float> y, bool accumulate)
    {
        if (accumulate)
        {
            x += Vector.Load(c);
            y += Vector.Load(c + Vector<float>.Count);
        }

        x.Store(c);
        y.Store(c + Vector<float>.Count);
    }
}
