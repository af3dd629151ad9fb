using System.Numerics;

namespace Skiff.Tensors;

/// <summary>Multiplies values in place by one factor.</summary>
public static unsafe class Scale
{
    private const int PartValues = 1 << 16;

    /// <summary>x = factor x.</summary>
    /// <param name="x">Any number of values.</param>
    /// <param name="factor">0 leaves NaN where x is not finite.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    public static void Apply(Span<float> x, float factor, ThreadTeam? team = null)
    {
        fixed (float* values = x)
        {
            Plan plan = new() { X = values, Count = x.Length, Factor = factor };
            (team ?? ThreadTeam.Default).Run((int)(((long)x.Length + PartValues - 1) / PartValues), &ApplyPart, &plan);
        }
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        long start = (long)part * PartValues, end = Math.Min(plan->Count, start + PartValues), i = start;
        Vector<float> factor = new(plan->Factor);
        for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            (Vector.Load(plan->X + i) * factor).Store(plan->X + i);
        // The values that fill no vector.
        Scalar(new Span<float>(plan->X + i, (int)(end - i)), plan->Factor);
    }

    internal static void Scalar(Span<float> x, float factor)
    {
        for (int i = 0; i < x.Length; i++)
            x[i] *= factor;
    }

    private struct Plan
    {
        public float* X;
        public long Count;
        public float Factor;
    }
}
