// N rows, D columns
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// Bounds values to [-bound, bound], as some models do with queries, keys and values. Values do not depend on each other: results
/// are the same for any number of threads.
/// </summary>
public static unsafe class Clip
{
    private const int PartValues = 1 << 14;

    /// <summary>x = min(max(x, -bound), bound); NaN stays NaN.</summary>
    /// <param name="x">[N, D], updated; rows may be apart.</param>
    /// <param name="bound">Above 0.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">The values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A bound that is not above 0.</exception>
    public static void Apply(MatrixView x, float bound, ThreadTeam? team = null) => Run(x, x, bound, &ApplyPart, team);

    /// <summary>dx becomes 0 where a value reached the bound, which the value after clipping tells; elsewhere it passes unchanged.</summary>
    /// <param name="clipped">[N, D], what <see cref="Apply"/> left.</param>
    /// <param name="bound">As given to the forward.</param>
    /// <param name="dx">[N, D], the result's gradient, which becomes the input's; rows may be apart.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A bound that is not above 0.</exception>
    public static void Backward(MatrixView clipped, float bound, MatrixView dx, ThreadTeam? team = null) =>
        Run(clipped, dx, bound, &BackwardPart, team);

    private static void Run(MatrixView clipped, MatrixView target, float bound, delegate*<void*, int, void> work, ThreadTeam? team)
    {
        if (target.Rows != clipped.Rows || target.Columns != clipped.Columns || (target.Columns > 1 && (clipped.ColumnStride != 1 || target.ColumnStride != 1)))
            throw new ArgumentException($"[{target.Rows}, {target.Columns}] beside [{clipped.Rows}, {clipped.Columns}], or values of a row apart", nameof(target));
        if (!(bound > 0))
            throw new ArgumentOutOfRangeException(nameof(bound), bound, "must be above 0");
        Plan plan = new() { Clipped = clipped, Target = target, Bound = bound, PartRows = Math.Max(1, PartValues / Math.Max(1, target.Columns)) };
        (team ?? ThreadTeam.Default).Run((target.Rows + plan.PartRows - 1) / plan.PartRows, work, &plan);
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        Vector<float> bound = new(plan->Bound);
        for (int row = part * plan->PartRows, end = Math.Min(plan->Target.Rows, row + plan->PartRows); row < end; row++)
        {
            float* x = plan->Target.Data + row * plan->Target.RowStride;
            int i = 0;
            for (; i <= plan->Target.Columns - Vector<float>.Count; i += Vector<float>.Count)
                Vector.Min(Vector.Max(Vector.Load(x + i), -bound), bound).Store(x + i);
            // The values that fill no vector.
            for (; i < plan->Target.Columns; i++)
                x[i] = Scalar(x[i], plan->Bound);
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        Vector<float> bound = new(plan->Bound);
        for (int row = part * plan->PartRows, end = Math.Min(plan->Target.Rows, row + plan->PartRows); row < end; row++)
        {
            float* clipped = plan->Clipped.Data + row * plan->Clipped.RowStride, dx = plan->Target.Data + row * plan->Target.RowStride;
            int i = 0;
            for (; i <= plan->Target.Columns - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<int> reached = Vector.GreaterThanOrEqual(Vector.Abs(Vector.Load(clipped + i)), bound);
                Vector.ConditionalSelect(reached, Vector<float>.Zero, Vector.Load(dx + i)).Store(dx + i);
            }

            // The values that fill no vector.
            for (; i < plan->Target.Columns; i++)
                dx[i] = ScalarBackward(clipped[i], plan->Bound, dx[i]);
        }
    }

    // The twins of one value.
    internal static T Scalar<T>(T x, T bound)
        where T : IFloatingPointIeee754<T> => T.Min(T.Max(x, -bound), bound);

    internal static T ScalarBackward<T>(T clipped, T bound, T dx)
        where T : IFloatingPointIeee754<T> => T.Abs(clipped) >= bound ? T.Zero : dx;

    private struct Plan
    {
        public MatrixView Clipped, Target;
        public float Bound;
        public int PartRows;
    }
}
