using System.Numerics;

namespace Skiff.Tensors;

/// <summary>Multiplies values by one factor.</summary>
public static unsafe class Scale
{
    private const int PartValues = 1 << 16;

    /// <summary>x = factor x.</summary>
    /// <param name="x">Any number of values.</param>
    /// <param name="factor">0 leaves NaN where x is not finite.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    public static void Apply(Span<float> x, float factor, ThreadTeam? team = null) => Copy(x, factor, x, team);

    /// <summary>y = factor x.</summary>
    /// <param name="x">Any number of values.</param>
    /// <param name="factor">0 leaves NaN where x is not finite.</param>
    /// <param name="y">As many, overwritten; may be x.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Lengths differ.</exception>
    public static void Copy(ReadOnlySpan<float> x, float factor, Span<float> y, ThreadTeam? team = null)
    {
        if (y.Length != x.Length)
            throw new ArgumentException($"{x.Length} values for {y.Length}", nameof(y));
        fixed (float* source = x, target = y)
        {
            Plan plan = new() { X = source, Y = target, Count = x.Length, Factor = factor };
            (team ?? ThreadTeam.Default).Run((int)(((long)x.Length + PartValues - 1) / PartValues), &ApplyPart, &plan);
        }
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        long start = (long)part * PartValues, end = Math.Min(plan->Count, start + PartValues), i = start;
        Vector<float> factor = new(plan->Factor);
        for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            (Vector.Load(plan->X + i) * factor).Store(plan->Y + i);
        // The values that fill no vector.
        Scalar(new ReadOnlySpan<float>(plan->X + i, (int)(end - i)), plan->Factor, new Span<float>(plan->Y + i, (int)(end - i)));
    }

    internal static void Scalar(ReadOnlySpan<float> x, float factor, Span<float> y)
    {
        for (int i = 0; i < x.Length; i++)
            y[i] = x[i] * factor;
    }

    private struct Plan
    {
        public float* X, Y;
        public long Count;
        public float Factor;
    }
}
