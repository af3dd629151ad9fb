using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The residual y = y + factor x. Backward, y's gradient passes unchanged and x's grows by factor times it: the same kernel.
/// </summary>
public static unsafe class AddScaled
{
    private const int PartValues = 1 << 15;

    /// <summary>y += factor x. Values do not depend on each other: results are the same for any number of threads.</summary>
    /// <param name="y">Any number of values, updated.</param>
    /// <param name="x">As many.</param>
    /// <param name="factor">The residual's scale.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Lengths differ.</exception>
    public static void Apply(Span<float> y, ReadOnlySpan<float> x, float factor = 1, ThreadTeam? team = null) => Apply(y, x, factor, y, team);

    /// <summary>target = y + factor x, where y is still needed.</summary>
    /// <param name="y">Any number of values.</param>
    /// <param name="x">As many.</param>
    /// <param name="factor">The residual's scale.</param>
    /// <param name="target">As many, overwritten; may be y or x.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Lengths differ.</exception>
    public static void Apply(ReadOnlySpan<float> y, ReadOnlySpan<float> x, float factor, Span<float> target, ThreadTeam? team = null)
    {
        if (x.Length != y.Length || target.Length != y.Length)
            throw new ArgumentException($"{x.Length} values to add to {y.Length}, room for {target.Length}", nameof(x));
        fixed (float* first = y, second = x, sum = target)
        {
            Plan plan = new() { Y = first, X = second, Target = sum, Count = y.Length, Factor = factor };
            (team ?? ThreadTeam.Default).Run((int)(((long)y.Length + PartValues - 1) / PartValues), &ApplyPart, &plan);
        }
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        long start = (long)part * PartValues, end = Math.Min(plan->Count, start + PartValues), i = start;
        Vector<float> factor = new(plan->Factor);
        for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            (Vector.Load(plan->Y + i) + factor * Vector.Load(plan->X + i)).Store(plan->Target + i);
        // The values that fill no vector.
        int rest = (int)(end - i);
        Scalar(new ReadOnlySpan<float>(plan->Y + i, rest), new ReadOnlySpan<float>(plan->X + i, rest), plan->Factor, new Span<float>(plan->Target + i, rest));
    }

    // The same roundings as the vector form when T is float; finite differences run with double.
    internal static void Scalar<T>(ReadOnlySpan<T> y, ReadOnlySpan<T> x, T factor, Span<T> target)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            target[i] = y[i] + factor * x[i];
    }

    private struct Plan
    {
        public float* Y, X, Target;
        public long Count;
        public float Factor;
    }
}
