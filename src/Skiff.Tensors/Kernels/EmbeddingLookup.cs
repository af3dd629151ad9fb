// N tokens, V vocabulary, D model
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>Rows of a table by token id, scaled, and the sum of their gradients into the table's.</summary>
public static unsafe class EmbeddingLookup
{
    private const int PartValues = 1 << 14;

    // Columns of the table that one part adds to: whole cache lines, so that no two threads write the same one.
    private const int PartColumns = 64;

    /// <summary>y[n] = scale table[ids[n]].</summary>
    /// <param name="table">[V, D].</param>
    /// <param name="ids">[N], each from 0 to V - 1.</param>
    /// <param name="scale">The embedding's scale.</param>
    /// <param name="y">[N, D], overwritten.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An id outside the table.</exception>
    public static void Forward(MatrixView table, ReadOnlySpan<int> ids, float scale, MatrixView y, ThreadTeam? team = null)
    {
        Check(table, ids, y);
        fixed (int* rows = ids)
        {
            Plan plan = new() { Table = table, Rows = y, Ids = rows, Scale = scale, Part = Math.Max(1, PartValues / Math.Max(1, y.Columns)) };
            (team ?? ThreadTeam.Default).Run((y.Rows + plan.Part - 1) / plan.Part, &ForwardPart, &plan);
        }
    }

    /// <summary>
    /// dTable[ids[n]] += scale dy[n]. The columns are shared out, and each adds its tokens in order: repeated ids give the same sum
    /// for any number of threads.
    /// </summary>
    /// <param name="dy">[N, D].</param>
    /// <param name="ids">[N], as given to the forward.</param>
    /// <param name="scale">The embedding's scale.</param>
    /// <param name="dTable">[V, D], added to.</param>
    /// <param name="team">Threads to share the columns; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An id outside the table.</exception>
    public static void Backward(MatrixView dy, ReadOnlySpan<int> ids, float scale, MatrixView dTable, ThreadTeam? team = null)
    {
        Check(dTable, ids, dy);
        fixed (int* rows = ids)
        {
            Plan plan = new() { Table = dTable, Rows = dy, Ids = rows, Scale = scale, Part = PartColumns };
            (team ?? ThreadTeam.Default).Run((dy.Columns + PartColumns - 1) / PartColumns, &BackwardPart, &plan);
        }
    }

    private static void Check(MatrixView table, ReadOnlySpan<int> ids, MatrixView rows)
    {
        if (rows.Rows != ids.Length || rows.Columns != table.Columns || table.ColumnStride != 1 || rows.ColumnStride != 1)
            throw new ArgumentException($"[{rows.Rows}, {rows.Columns}] for {ids.Length} rows of [{table.Rows}, {table.Columns}], or values of a row apart", nameof(rows));
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)table.Rows)
                throw new ArgumentOutOfRangeException(nameof(ids), $"id {id} is outside the table of {table.Rows}");
        }
    }

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        for (int n = part * plan->Part, end = Math.Min(plan->Rows.Rows, n + plan->Part); n < end; n++)
        {
            float* source = plan->Table.Data + plan->Ids[n] * plan->Table.RowStride, target = plan->Rows.Data + n * plan->Rows.RowStride;
            Vector<float> scale = new(plan->Scale);
            int i = 0;
            for (; i <= plan->Rows.Columns - Vector<float>.Count; i += Vector<float>.Count)
                (scale * Vector.Load(source + i)).Store(target + i);
            // The values that fill no vector.
            for (; i < plan->Rows.Columns; i++)
                target[i] = plan->Scale * source[i];
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int first = part * plan->Part, columns = Math.Min(plan->Part, plan->Rows.Columns - first);
        Vector<float> scale = new(plan->Scale);
        for (int n = 0; n < plan->Rows.Rows; n++)
        {
            float* target = plan->Table.Data + plan->Ids[n] * plan->Table.RowStride + first, source = plan->Rows.Data + n * plan->Rows.RowStride + first;
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
                (Vector.Load(target + i) + scale * Vector.Load(source + i)).Store(target + i);
            // The values that fill no vector.
            for (; i < columns; i++)
                target[i] += plan->Scale * source[i];
        }
    }

    internal static void Scalar<T>(ReadOnlySpan<T> table, int columns, ReadOnlySpan<int> ids, T scale, Span<T> y)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = scale * table[ids[i / columns] * columns + i % columns];
    }

    internal static void ScalarBackward<T>(ReadOnlySpan<T> dy, int columns, ReadOnlySpan<int> ids, T scale, Span<T> dTable)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < dy.Length; i++)
            dTable[ids[i / columns] * columns + i % columns] += scale * dy[i];
    }

    private struct Plan
    {
        public MatrixView Table, Rows;
        public int* Ids;
        public float Scale;
        public int Part;
    }
}
