// N rows, D columns
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// A factor for each row, as attention whose scale grows with the logarithm of the position has. The factors are no parameters:
/// backward, the gradient is multiplied by the same factors, so the kernel is its own adjoint.
/// </summary>
public static unsafe class RowScale
{
    private const int PartValues = 1 << 14;

    /// <summary>x[n] = factors[n] x[n]. Values do not depend on each other: results are the same for any number of threads.</summary>
    /// <param name="x">[N, D], updated; rows may be apart.</param>
    /// <param name="factors">[N].</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static void Apply(MatrixView x, ReadOnlySpan<float> factors, ThreadTeam? team = null)
    {
        if (factors.Length != x.Rows || (x.ColumnStride != 1 && x.Columns > 1))
            throw new ArgumentException($"{factors.Length} factors for [{x.Rows}, {x.Columns}], or values of a row apart", nameof(factors));
        fixed (float* values = factors)
        {
            Plan plan = new() { X = x, Factors = values, PartRows = Math.Max(1, PartValues / Math.Max(1, x.Columns)) };
            (team ?? ThreadTeam.Default).Run((x.Rows + plan.PartRows - 1) / plan.PartRows, &ApplyPart, &plan);
        }
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->X.Columns;
        for (int row = part * plan->PartRows, end = Math.Min(plan->X.Rows, row + plan->PartRows); row < end; row++)
        {
            float* x = plan->X.Data + row * plan->X.RowStride;
            Vector<float> factor = new(plan->Factors[row]);
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
                (factor * Vector.Load(x + i)).Store(x + i);
            // The values that fill no vector.
            for (; i < columns; i++)
                x[i] *= plan->Factors[row];
        }
    }

    // The twin; rows have no gaps.
    internal static void Scalar<T>(Span<T> x, ReadOnlySpan<T> factors)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++)
            x[i] *= factors[i / (x.Length / factors.Length)];
    }

    private struct Plan
    {
        public MatrixView X;
        public float* Factors;
        public int PartRows;
    }
}
