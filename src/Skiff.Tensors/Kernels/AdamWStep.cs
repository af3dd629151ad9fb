using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// One AdamW step over one tensor, in one pass over memory: 28 bytes a parameter (Loshchilov and Hutter, arXiv 1711.05101,
/// algorithm 2; the bias corrections are folded into two factors as in arXiv 1412.6980, section 2).
/// </summary>
public static unsafe class AdamWStep
{
    private const int PartValues = 1 << 15;

    /// <summary>
    /// With g scaled: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    /// p -= rate (decay p + m' / (sqrt(v') + eps)), m' = m / (1 - b1^t), v' = v / (1 - b2^t). Values do not depend on each
    /// other, so results are the same for any number of threads and any width of vectors.
    /// </summary>
    /// <param name="parameters">p, updated.</param>
    /// <param name="gradients">g, as many.</param>
    /// <param name="firstMoments">m, updated; zeros before the first step.</param>
    /// <param name="secondMoments">v, updated; zeros before the first step.</param>
    /// <param name="settings">Decay rates of the moments, weight decay, epsilon.</param>
    /// <param name="learningRate">This step's rate.</param>
    /// <param name="step">t, from 1.</param>
    /// <param name="gradientScale">Factor on every gradient: clipping costs no pass of its own.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Lengths differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A step before the first, or a setting outside its range.</exception>
    public static void Apply(
        Span<float> parameters, ReadOnlySpan<float> gradients, Span<float> firstMoments, Span<float> secondMoments,
        AdamWSettings settings, double learningRate, long step, float gradientScale = 1, ThreadTeam? team = null)
    {
        Factors factors = new(settings, learningRate, step, gradientScale);
        int count = parameters.Length;
        if (gradients.Length != count || firstMoments.Length != count || secondMoments.Length != count)
            throw new ArgumentException($"{count} parameters, {gradients.Length} gradients, {firstMoments.Length} and {secondMoments.Length} moments", nameof(gradients));
        fixed (float* p = parameters, g = gradients, m = firstMoments, v = secondMoments)
        {
            Plan plan = new() { P = p, G = g, M = m, V = v, Count = count, Factors = factors };
            (team ?? ThreadTeam.Default).Run((int)(((long)count + PartValues - 1) / PartValues), &ApplyPart, &plan);
        }
    }

    private static void ApplyPart(void* state, int part)
    {
        Plan plan = *(Plan*)state;
        Factors f = plan.Factors;
        long start = (long)part * PartValues, end = Math.Min(plan.Count, start + PartValues), i = start;
        Vector<float> keep1 = new(f.Keep1), take1 = new(f.Take1), keep2 = new(f.Keep2), take2 = new(f.Take2);
        Vector<float> decay = new(f.Decay), rate = new(f.Rate), epsilon = new(f.Epsilon), scale = new(f.Scale);
        for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(plan.G + i) * scale, p = Vector.Load(plan.P + i);
            Vector<float> m = keep1 * Vector.Load(plan.M + i) + take1 * g;
            Vector<float> v = keep2 * Vector.Load(plan.V + i) + take2 * (g * g);
            m.Store(plan.M + i);
            v.Store(plan.V + i);
            (p - (decay * p + rate * m / (Vector.SquareRoot(v) + epsilon))).Store(plan.P + i);
        }

        // The values that fill no vector.
        Scalar(plan.P + i, plan.G + i, plan.M + i, plan.V + i, end - i, f);
    }

    // The same roundings in the same order as the vector form.
    internal static void Scalar(float* parameters, float* gradients, float* firstMoments, float* secondMoments, long count, Factors f)
    {
        for (long i = 0; i < count; i++)
        {
            float g = gradients[i] * f.Scale, p = parameters[i];
            float m = f.Keep1 * firstMoments[i] + f.Take1 * g;
            float v = f.Keep2 * secondMoments[i] + f.Take2 * (g * g);
            firstMoments[i] = m;
            secondMoments[i] = v;
            parameters[i] = p - (f.Decay * p + f.Rate * m / (MathF.Sqrt(v) + f.Epsilon));
        }
    }

    /// <summary>A step's numbers, from double precision: 1 - b2^t loses most of its digits in single.</summary>
    internal readonly struct Factors
    {
        public readonly float Keep1, Take1, Keep2, Take2, Decay, Rate, Epsilon, Scale;

        public Factors(AdamWSettings settings, double learningRate, long step, float gradientScale)
        {
            ArgumentNullException.ThrowIfNull(settings);
            ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
            if (!(settings.Beta1 is >= 0 and < 1 && settings.Beta2 is >= 0 and < 1 && settings.Epsilon > 0))
                throw new ArgumentOutOfRangeException(nameof(settings), settings, "the betas must lie in [0, 1) and epsilon above 0");
            double first = 1 - Math.Pow(settings.Beta1, step), second = Math.Sqrt(1 - Math.Pow(settings.Beta2, step));
            (Keep1, Take1) = ((float)settings.Beta1, (float)(1 - settings.Beta1));
            (Keep2, Take2) = ((float)settings.Beta2, (float)(1 - settings.Beta2));
            Decay = (float)(learningRate * settings.WeightDecay);
            // m' / (sqrt(v') + eps) with both parts multiplied by the root of v's correction.
            Rate = (float)(learningRate * second / first);
            Epsilon = (float)(settings.Epsilon * second);
            Scale = gradientScale;
        }
    }

    private struct Plan
    {
        public float* P, G, M, V;
        public long Count;
        public Factors Factors;
    }
}
