using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class AdamWStepTests
{
    [Fact]
    public void ManyStepsStayBesideDoublePrecision()
    {
        const int Count = 1003, Steps = 2000;
        AdamWSettings settings = new() { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8, WeightDecay = 0.1 };
        Random random = new(3);
        float[] p = Values(random, Count, 1), m = new float[Count], v = new float[Count], g = new float[Count];
        double[] dp = [.. p.Select(x => (double)x)], dm = new double[Count], dv = new double[Count];
        for (int t = 1; t <= Steps; t++)
        {
            double rate = 1e-3 * Math.Min(1, t / 100.0);
            const float Clip = 0.7f;
            for (int i = 0; i < Count; i++)
            {
                // Gradients of very different sizes, some always zero.
                g[i] = i % 10 == 0 ? 0 : (float)((random.NextDouble() - 0.3) * Math.Pow(10, i % 7 - 5));
                double gradient = (double)g[i] * Clip;
                dm[i] = settings.Beta1 * dm[i] + (1 - settings.Beta1) * gradient;
                dv[i] = settings.Beta2 * dv[i] + (1 - settings.Beta2) * gradient * gradient;
                double first = dm[i] / (1 - Math.Pow(settings.Beta1, t)), second = dv[i] / (1 - Math.Pow(settings.Beta2, t));
                dp[i] -= rate * (settings.WeightDecay * dp[i] + first / (Math.Sqrt(second) + settings.Epsilon));
            }

            AdamWStep.Apply(p, g, m, v, settings, rate, t, Clip);
        }

        for (int i = 0; i < Count; i++)
        {
            // Each step rounds p once: at most half a unit in the last place of a number below 4.
            Assert.True(Math.Abs(p[i] - dp[i]) <= 5e-5 * (1 + Math.Abs(dp[i])), $"{i}: {p[i]}, not {dp[i]}");
            Assert.True(Math.Abs(m[i] - dm[i]) <= 1e-5 * Math.Pow(10, i % 7 - 5), $"{i}: m {m[i]}, not {dm[i]}");
            Assert.True(Math.Abs(v[i] - dv[i]) <= 1e-4 * dv[i] + 1e-38, $"{i}: v {v[i]}, not {dv[i]}");
        }
    }

    [Fact]
    public void AnyLengthHasTheScalarTwinsBitsForAnyNumberOfThreads()
    {
        Gen.Select(Gen.OneOf(Gen.Int[0, 70], Gen.Int[32_700, 32_850], Gen.Int[65_530, 100_000]), Gen.Int[1, 1000], Gen.Int[0, 1 << 20]).Sample((count, step, seed) =>
        {
            Random random = new(seed);
            AdamWSettings settings = new() { Beta2 = 0.99, WeightDecay = random.NextDouble() };
            float[] g = Values(random, count, 1), p = Values(random, count, 1), m = Values(random, count, 0.1f);
            float[] v = [.. Values(random, count, 0.1f).Select(x => x * x)];
            float[] p1 = [.. p], m1 = [.. m], v1 = [.. v], p2 = [.. p], m2 = [.. m], v2 = [.. v];
            using ThreadTeam team = new(3), alone = new(1);
            AdamWStep.Apply(p, g, m, v, settings, 0.01, step, 0.5f, team);
            AdamWStep.Apply(p2, g, m2, v2, settings, 0.01, step, 0.5f, alone);
            fixed (float* pp = p1, pg = g, pm = m1, pv = v1)
                AdamWStep.Scalar(pp, pg, pm, pv, count, new AdamWStep.Factors(settings, 0.01, step, 0.5f));
            return p.AsSpan().SequenceEqual(p1) && m.AsSpan().SequenceEqual(m1) && v.AsSpan().SequenceEqual(v1)
                && p.AsSpan().SequenceEqual(p2) && m.AsSpan().SequenceEqual(m2) && v.AsSpan().SequenceEqual(v2);
        }, iter: 60);
    }

    [Fact]
    public void WrongLengthsStepsAndSettingsAreRefused()
    {
        float[] three = new float[3], four = new float[4];
        Assert.Throws<ArgumentException>(() => AdamWStep.Apply(three, four, three, three, new AdamWSettings(), 0.1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AdamWStep.Apply(three, three, three, three, new AdamWSettings(), 0.1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => AdamWStep.Apply(three, three, three, three, new AdamWSettings { Beta1 = 1 }, 0.1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AdamWStep.Apply(three, three, three, three, new AdamWSettings { Epsilon = 0 }, 0.1, 1));
    }

    [Fact]
    public void ZeroGradientsDecayAndNotANumberShows()
    {
        float[] p = [2, 2], g = [0, float.NaN], m = new float[2], v = new float[2];
        AdamWStep.Apply(p, g, m, v, new AdamWSettings { WeightDecay = 0.5 }, 0.1, 1);
        Assert.Equal(1.9f, p[0], 6);
        Assert.True(float.IsNaN(p[1]));
    }

    private static float[] Values(Random random, int count, float size) => [.. Enumerable.Range(0, count).Select(_ => ((float)random.NextDouble() * 2 - 1) * size)];
}
