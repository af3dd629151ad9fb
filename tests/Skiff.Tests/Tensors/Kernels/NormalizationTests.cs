using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class NormalizationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads(bool rms)
    {
        // Of two or three values a LayerNorm leaves little but their order: its slope is a small difference of large numbers.
        Gen.Select(Gen.Int[1, 150], Gen.Int[rms ? 2 : 4, 300], Gen.Bool, Gen.Bool, Gen.Int[0, 1 << 20]).Sample((rows, d, gained, accumulate, seed) =>
        {
            Random random = new(seed);
            float[] x = Gradients.Values(random, rows * d, 2), dy = Gradients.Values(random, rows * d), gain = gained ? Gradients.Values(random, d) : [];
            float[] bias = rms ? [] : Gradients.Values(random, d), start = Gradients.Values(random, rows * d);
            float[][] one = Run(1), three = Run(3);
            float[] y = [.. x];
            Norm.Apply(y, d, rms, 1e-5, gain, bias, 1);
            double[] dx = new double[rows * d], dGain = new double[gain.Length], dBias = new double[bias.Length];
            for (int r = 0; r < rows; r++)
                Normalization.ScalarBackward(Gradients.Widen(dy).AsSpan(r * d, d), Gradients.Widen(x).AsSpan(r * d, d), Gradients.Widen(gain), 1, 1e-5, rms, dx.AsSpan(r * d, d), dGain, dBias);
            for (int i = 0; i < dx.Length && accumulate; i++)
                dx[i] += start[i];
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second))
                && Gradients.Distance(one[0], Gradients.Widen(y)) < 2e-6 && Gradients.Distance(one[1], dx) < 5e-6
                && Gradients.Distance(one[2], dGain) < 5e-6 && Gradients.Distance(one[3], dBias) < 5e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] result = new float[rows * d], change = [.. start], inverse = new float[rows], mean = new float[rms ? 0 : rows], gainChange = new float[gain.Length], biasChange = new float[bias.Length];
                fixed (float* px = x, py = result, pd = dy, pt = change)
                {
                    MatrixView input = new(px, rows, d);
                    Normalization.Forward(input, gain, bias, 1, 1e-5, new MatrixView(py, rows, d), inverse, mean, team);
                    Normalization.Backward(new MatrixView(pd, rows, d), input, gain, 1, inverse, mean, new MatrixView(pt, rows, d), gainChange, biasChange, accumulate, team);
                }

                return [result, change, gainChange, biasChange];
            }
        }, iter: 25);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences(bool rms)
    {
        const int D = 13;
        Random random = new(5);
        double[] x = Gradients.Widen(Gradients.Values(random, D)), dy = Gradients.Widen(Gradients.Values(random, D)), gain = Gradients.Widen(Gradients.Values(random, D)), bias = new double[D];
        double[] dx = new double[D], dGain = new double[D], dBias = new double[D];
        Normalization.ScalarBackward(dy, x, gain, 1, 1e-5, rms, dx, dGain, dBias);
        Assert.True(Gradients.Error(x, dx, Loss) < 1e-5);
        Assert.True(Gradients.Error(gain, dGain, Loss) < 1e-5);
        Assert.True(Gradients.Error(bias, dBias, Loss) < 1e-5);

        double Loss()
        {
            double mean = rms ? 0 : x.Average(), r = 1 / Math.Sqrt(x.Average(v => (v - mean) * (v - mean)) + 1e-5);
            return Gradients.Dot(dy, [.. x.Select((v, i) => (v - mean) * r * (gain[i] + 1) + bias[i])]);
        }
    }
}
