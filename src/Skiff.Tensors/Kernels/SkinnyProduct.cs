using System.Numerics;
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// C = A B or C += A B where A's rows and B's columns are contiguous and C is narrow: too few uses of each value to pay for
/// packing, so every entry is a dot product, three rows by four columns at a time. Reads B once from memory.
/// </summary>
internal static unsafe class SkinnyProduct
{
    // Values of B that one part reads: enough to hide what a part costs.
    private const int PartValues = 1 << 15;

    /// <summary>Operands as in <see cref="MatrixProduct"/>.</summary>
    public static void Multiply(MatrixView a, MatrixView b, MatrixView c, bool accumulate, ThreadTeam? team)
    {
        // The wider side is shared out, four columns together.
        if (c.Columns < c.Rows)
            (a, b, c) = (b.Transposed, a.Transposed, c.Transposed);
        Plan plan = new() { A = a, B = b, C = c, Accumulate = accumulate, PartColumns = (Math.Max(1, PartValues / a.Columns) + 3) & ~3 };
        int parts = (c.Columns + plan.PartColumns - 1) / plan.PartColumns;
        if (team is null)
        {
            for (int part = 0; part < parts; part++)
                MultiplyPart(&plan, part);
        }
        else
        {
            team.Run(parts, &MultiplyPart, &plan);
        }
    }

    private static void MultiplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int first = part * plan->PartColumns, end = Math.Min(plan->C.Columns, first + plan->PartColumns);
        for (int column = first; column < end; column += 4)
        {
            int columns = Math.Min(4, end - column), row = 0;
            for (; row <= plan->C.Rows - 3; row += 3)
                Tile<Three>(plan, row, column, columns);
            if (plan->C.Rows - row == 2)
                Tile<Two>(plan, row, column, columns);
            else if (plan->C.Rows - row == 1)
                Tile<One>(plan, row, column, columns);
        }
    }

    // Columns that are missing at the edge read the first one again, and are not stored.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows>(Plan* plan, int row, int column, int columns)
        where TRows : struct, IRowCount
    {
        nint length = plan->A.Columns, whole = length - length % Vector<float>.Count, bColumn = (nint)plan->B.ColumnStride;
        float* a0 = plan->A.Data + row * plan->A.RowStride;
        float* a1 = TRows.Value > 1 ? a0 + plan->A.RowStride : a0, a2 = TRows.Value > 2 ? a1 + plan->A.RowStride : a0;
        float* b0 = plan->B.Data + column * plan->B.ColumnStride;
        float* b1 = columns > 1 ? b0 + bColumn : b0, b2 = columns > 2 ? b0 + 2 * bColumn : b0, b3 = columns > 3 ? b0 + 3 * bColumn : b0;
        Vector<float> c00 = Vector<float>.Zero, c01 = Vector<float>.Zero, c02 = Vector<float>.Zero, c03 = Vector<float>.Zero;
        Vector<float> c10 = Vector<float>.Zero, c11 = Vector<float>.Zero, c12 = Vector<float>.Zero, c13 = Vector<float>.Zero;
        Vector<float> c20 = Vector<float>.Zero, c21 = Vector<float>.Zero, c22 = Vector<float>.Zero, c23 = Vector<float>.Zero;
        for (nint k = 0; k < whole; k += Vector<float>.Count)
        {
            Vector<float> v0 = Vector.Load(a0 + k), v1 = Vector.Load(a1 + k), v2 = Vector.Load(a2 + k);
            Vector<float> value = Vector.Load(b0 + k);
            c00 = Vector.MultiplyAddEstimate(v0, value, c00);
            if (TRows.Value > 1)
                c10 = Vector.MultiplyAddEstimate(v1, value, c10);
            if (TRows.Value > 2)
                c20 = Vector.MultiplyAddEstimate(v2, value, c20);

            value = Vector.Load(b1 + k);
            c01 = Vector.MultiplyAddEstimate(v0, value, c01);
            if (TRows.Value > 1)
                c11 = Vector.MultiplyAddEstimate(v1, value, c11);
            if (TRows.Value > 2)
                c21 = Vector.MultiplyAddEstimate(v2, value, c21);

            value = Vector.Load(b2 + k);
            c02 = Vector.MultiplyAddEstimate(v0, value, c02);
            if (TRows.Value > 1)
                c12 = Vector.MultiplyAddEstimate(v1, value, c12);
            if (TRows.Value > 2)
                c22 = Vector.MultiplyAddEstimate(v2, value, c22);

            value = Vector.Load(b3 + k);
            c03 = Vector.MultiplyAddEstimate(v0, value, c03);
            if (TRows.Value > 1)
                c13 = Vector.MultiplyAddEstimate(v1, value, c13);
            if (TRows.Value > 2)
                c23 = Vector.MultiplyAddEstimate(v2, value, c23);
        }

        float* c = plan->C.Data + row * plan->C.RowStride + column * plan->C.ColumnStride;
        Row(plan, c, c00, c01, c02, c03, a0, b0, b1, b2, b3, whole, columns);
        if (TRows.Value > 1)
            Row(plan, c + plan->C.RowStride, c10, c11, c12, c13, a1, b0, b1, b2, b3, whole, columns);
        if (TRows.Value > 2)
            Row(plan, c + 2 * plan->C.RowStride, c20, c21, c22, c23, a2, b0, b1, b2, b3, whole, columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(
        Plan* plan, float* c, Vector<float> s0, Vector<float> s1, Vector<float> s2, Vector<float> s3,
        float* a, float* b0, float* b1, float* b2, float* b3, nint whole, int columns)
    {
        (float t0, float t1, float t2, float t3) = (Vector.Sum(s0), Vector.Sum(s1), Vector.Sum(s2), Vector.Sum(s3));
        // The steps that fill no vector.
        for (nint k = whole; k < plan->A.Columns; k++)
        {
            t0 += a[k] * b0[k];
            t1 += a[k] * b1[k];
            t2 += a[k] * b2[k];
            t3 += a[k] * b3[k];
        }

        nint next = (nint)plan->C.ColumnStride;
        bool accumulate = plan->Accumulate;
        c[0] = accumulate ? c[0] + t0 : t0;
        if (columns > 1)
            c[next] = accumulate ? c[next] + t1 : t1;
        if (columns > 2)
            c[2 * next] = accumulate ? c[2 * next] + t2 : t2;
        if (columns > 3)
            c[3 * next] = accumulate ? c[3 * next] + t3 : t3;
    }

    private struct Plan
    {
        public MatrixView A, B, C;
        public bool Accumulate;
        public int PartColumns;
    }
}
