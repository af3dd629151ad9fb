namespace Skiff.Tensors;

/// <summary>The sum of squares, for clipping gradients by their norm (Pascanu et al., arXiv 1211.5063, section 3.2).</summary>
public static unsafe class SquaredNorm
{
    private const int PartValues = 1 << 15;

    /// <summary>
    /// The sum of x^2 in double precision, where the square of a single is exact. Sums of 32,768 values are added in order:
    /// the result is the same for any number of threads and on every processor. A NaN or an infinity shows in it.
    /// </summary>
    /// <param name="x">Any number of values; none give 0.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    public static double Compute(ReadOnlySpan<float> x, ThreadTeam? team = null)
    {
        int parts = (int)(((long)x.Length + PartValues - 1) / PartValues);
        double* sums = (double*)Scratch.Shared(2L * parts);
        fixed (float* values = x)
        {
            Plan plan = new() { X = values, Count = x.Length, Sums = sums };
            (team ?? ThreadTeam.Default).Run(parts, &ComputePart, &plan);
        }

        double sum = 0;
        for (int part = 0; part < parts; part++)
            sum += sums[part];
        return sum;
    }

    private static void ComputePart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int start = part * PartValues;
        ReadOnlySpan<float> x = new(plan->X + start, Math.Min(PartValues, plan->Count - start));
        plan->Sums[part] = Linear.Dot(x, x);
    }

    internal static double Scalar(ReadOnlySpan<float> x)
    {
        double sum = 0;
        foreach (float value in x)
            sum += (double)value * value;
        return sum;
    }

    private struct Plan
    {
        public float* X;
        public int Count;
        public double* Sums;
    }
}
