// N rows, D columns
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>How far rows point from those of another matrix, 1 - cos(a, b), and the gradient by a: what distillation of hidden states makes small.</summary>
public static unsafe class CosineDistance
{
    // Rows shorter than this point nowhere: they have the distance 1 and no gradient.
    private const double LeastSquare = 1e-30;

    /// <summary>The sum of 1 - cos over the rows that have a target. Results do not depend on the number of threads.</summary>
    /// <param name="a">[N, D].</param>
    /// <param name="b">[N, D].</param>
    /// <param name="targets">[N]; a row with -1 is left out, other values are not looked at.</param>
    /// <param name="factors">[2 N], filled for <see cref="Backward"/>: 1 / (|a| |b|) and cos / |a|^2 of each row.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static double Forward(MatrixView a, MatrixView b, ReadOnlySpan<int> targets, Span<float> factors, ThreadTeam? team = null)
    {
        Check(a, b, factors.Length);
        if (targets.Length != a.Rows)
            throw new ArgumentException($"{targets.Length} targets for {a.Rows} rows", nameof(targets));
        fixed (int* ids = targets)
        fixed (float* room = factors)
        {
            Plan plan = new() { A = a, B = b, Targets = ids, Factors = room };
            (team ?? ThreadTeam.Default).Run(a.Rows, &Measure, &plan);
            double sum = 0;
            for (int n = 0; n < a.Rows; n++)
                sum += ids[n] == -1 ? 0 : 1 - Cosine(room[2 * n], room[(2 * n) + 1], a, n);
            return sum;
        }
    }

    /// <summary>The gradient of that sum by a, times a scale.</summary>
    /// <param name="a">As it was.</param>
    /// <param name="b">As it was.</param>
    /// <param name="factors">What <see cref="Forward"/> left.</param>
    /// <param name="scale">Factor on the gradient.</param>
    /// <param name="dA">[N, D].</param>
    /// <param name="accumulate">Add rather than overwrite.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static void Backward(MatrixView a, MatrixView b, ReadOnlySpan<float> factors, float scale, MatrixView dA, bool accumulate, ThreadTeam? team = null)
    {
        Check(a, b, factors.Length);
        Check(a, dA, factors.Length);
        fixed (float* room = factors)
        {
            Plan plan = new() { A = a, B = b, Gradient = dA, Factors = room, Scale = scale, Accumulate = accumulate };
            (team ?? ThreadTeam.Default).Run(a.Rows, &Pull, &plan);
        }
    }

    private static void Check(MatrixView a, MatrixView b, int factors)
    {
        if (a.Rows != b.Rows || a.Columns != b.Columns || factors != 2 * a.Rows || (a.Columns > 1 && (a.ColumnStride != 1 || b.ColumnStride != 1)))
            throw new ArgumentException($"[{a.Rows}, {a.Columns}] and [{b.Rows}, {b.Columns}], or values of a row apart", nameof(b));
    }

    private static double Cosine(float inverse, float share, MatrixView a, int row)
    {
        if (inverse == 0)
            return 0;
        float* values = a.Data + (row * a.RowStride);
        return share * Dot(values, values, a.Columns);
    }

    private static void Measure(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        (plan->Factors[2 * row], plan->Factors[(2 * row) + 1]) = (0, 0);
        if (plan->Targets[row] == -1)
            return;
        int columns = plan->A.Columns;
        float* a = plan->A.Data + (row * plan->A.RowStride), b = plan->B.Data + (row * plan->B.RowStride);
        double own = Dot(a, a, columns), other = Dot(b, b, columns);
        if (own < LeastSquare || other < LeastSquare)
            return;
        double inverse = 1 / Math.Sqrt(own * other);
        (plan->Factors[2 * row], plan->Factors[(2 * row) + 1]) = ((float)inverse, (float)(Dot(a, b, columns) * inverse / own));
    }

    // d (1 - cos) / d a = cos / |a|^2 a - b / (|a| |b|)
    private static void Pull(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->A.Columns, i = 0;
        float* a = plan->A.Data + (row * plan->A.RowStride), b = plan->B.Data + (row * plan->B.RowStride), d = plan->Gradient.Data + (row * plan->Gradient.RowStride);
        float toB = -plan->Factors[2 * row] * plan->Scale, toA = plan->Factors[(2 * row) + 1] * plan->Scale;
        Vector<float> wideB = new(toB), wideA = new(toA);
        for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> pull = (wideB * Vector.Load(b + i)) + (wideA * Vector.Load(a + i));
            (plan->Accumulate ? pull + Vector.Load(d + i) : pull).Store(d + i);
        }

        for (; i < columns; i++)
        {
            float pull = (toB * b[i]) + (toA * a[i]);
            d[i] = plan->Accumulate ? pull + d[i] : pull;
        }
    }

    // In double precision: cosines near 1 are what this is about.
    private static double Dot(float* x, float* y, int count)
    {
        Vector<double> sum = Vector<double>.Zero;
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(x + i), out Vector<double> lowX, out Vector<double> highX);
            Vector.Widen(Vector.Load(y + i), out Vector<double> lowY, out Vector<double> highY);
            sum += (lowX * lowY) + (highX * highY);
        }

        double total = Vector.Sum(sum);
        for (; i < count; i++)
            total += (double)x[i] * y[i];
        return total;
    }

    // The twin: one row's distance, and its gradient times a scale added.
    internal static double Scalar(ReadOnlySpan<double> a, ReadOnlySpan<double> b, double scale, Span<double> dA)
    {
        double own = 0, other = 0, dot = 0;
        for (int i = 0; i < a.Length; i++)
            (own, other, dot) = (own + (a[i] * a[i]), other + (b[i] * b[i]), dot + (a[i] * b[i]));
        double cosine = dot / Math.Sqrt(own * other);
        for (int i = 0; i < dA.Length; i++)
            dA[i] += scale * ((cosine * a[i] / own) - (b[i] / Math.Sqrt(own * other)));
        return 1 - cosine;
    }

    private struct Plan
    {
        public MatrixView A, B, Gradient;
        public int* Targets;
        public float* Factors;
        public float Scale;
        public bool Accumulate;
    }
}
