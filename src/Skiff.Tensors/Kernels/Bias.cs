// N rows, D columns
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The bias of a linear layer, added to every row, and its gradient, the sum of the rows' gradients. The sum runs in an order that
/// depends on the sizes alone: results are the same for any number of threads.
/// </summary>
public static unsafe class Bias
{
    private const int PartValues = 1 << 14;

    // Partial sums of the gradient: enough for any machine, few enough to add up at the end.
    private const int MostPartials = 64, LeastPartialRows = 16;

    /// <summary>y[n] += bias.</summary>
    /// <param name="y">[N, D], updated; rows may be apart.</param>
    /// <param name="bias">[D].</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static void Add(MatrixView y, ReadOnlySpan<float> bias, ThreadTeam? team = null)
    {
        Check(y, bias.Length);
        fixed (float* values = bias)
        {
            Plan plan = new() { Y = y, Bias = values, PartRows = Math.Max(1, PartValues / Math.Max(1, y.Columns)) };
            (team ?? ThreadTeam.Default).Run((y.Rows + plan.PartRows - 1) / plan.PartRows, &AddPart, &plan);
        }
    }

    /// <summary>dBias += the sum of dy over the rows; y's gradient itself passes unchanged.</summary>
    /// <param name="dy">[N, D]; rows may be apart.</param>
    /// <param name="dBias">[D], added to.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static void Backward(MatrixView dy, Span<float> dBias, ThreadTeam? team = null) => Backward(dy, 1, dBias, team);

    /// <summary>The same with a factor on the sums.</summary>
    internal static void Backward(MatrixView dy, float factor, Span<float> dBias, ThreadTeam? team)
    {
        Check(dy, dBias.Length);
        Plan plan = new() { Y = dy, PartRows = Math.Max(LeastPartialRows, (dy.Rows + MostPartials - 1) / MostPartials) };
        int parts = (dy.Rows + plan.PartRows - 1) / plan.PartRows;
        plan.Partials = Scratch.Shared((long)parts * dy.Columns);
        (team ?? ThreadTeam.Default).Run(parts, &BackwardPart, &plan);
        for (int part = 0; part < parts; part++)
        {
            float* sums = plan.Partials + (long)part * dy.Columns;
            for (int i = 0; i < dBias.Length; i++)
                dBias[i] += factor * sums[i];
        }
    }

    private static void Check(MatrixView y, int bias)
    {
        if (bias != y.Columns || (y.ColumnStride != 1 && y.Columns > 1))
            throw new ArgumentException($"{bias} biases for [{y.Rows}, {y.Columns}], or values of a row apart", nameof(bias));
    }

    private static void AddPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->Y.Columns;
        for (int row = part * plan->PartRows, end = Math.Min(plan->Y.Rows, row + plan->PartRows); row < end; row++)
            AddRow(plan->Bias, plan->Y.Data + row * plan->Y.RowStride, columns);
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->Y.Columns;
        float* sums = plan->Partials + (long)part * columns;
        new Span<float>(sums, columns).Clear();
        for (int row = part * plan->PartRows, end = Math.Min(plan->Y.Rows, row + plan->PartRows); row < end; row++)
            AddRow(plan->Y.Data + row * plan->Y.RowStride, sums, columns);
    }

    private static void AddRow(float* source, float* target, int count)
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
            (Vector.Load(target + i) + Vector.Load(source + i)).Store(target + i);
        // The values that fill no vector.
        for (; i < count; i++)
            target[i] += source[i];
    }

    // The twins; rows have no gaps.
    internal static void Scalar<T>(Span<T> y, ReadOnlySpan<T> bias)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] += bias[i % bias.Length];
    }

    internal static void ScalarBackward<T>(ReadOnlySpan<T> dy, Span<T> dBias)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < dy.Length; i++)
            dBias[i % dBias.Length] += dy[i];
    }

    private struct Plan
    {
        public MatrixView Y;
        public float* Bias, Partials;
        public int PartRows;
    }
}
