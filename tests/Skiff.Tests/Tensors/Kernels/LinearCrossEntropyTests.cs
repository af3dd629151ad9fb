using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class LinearCrossEntropyTests
{
    [Fact]
    public void LossAndGradientsAgreeWithTheTwinInAnyChunksAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Int[2, 1500], Gen.Bool, Gen.Bool, Gen.Int[0, 1 << 20]).Sample((tokens, d, vocabulary, capped, biased, seed) =>
        {
            Random random = new(seed);
            float cap = capped ? 3 : 0;
            float[] hidden = Gradients.Values(random, tokens * d), head = Gradients.Values(random, vocabulary * d), bias = biased ? Gradients.Values(random, vocabulary) : [];
            int[] targets = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(-1, vocabulary))];
            double[] dHidden = new double[hidden.Length], dHead = new double[head.Length], dBias = Gradients.Widen(bias);
            double loss = LinearCrossEntropy.Scalar(Gradients.Widen(hidden), Gradients.Widen(head), targets, 0.7, cap, 0.5, dHidden, dHead, Gradients.Widen(bias), dBias);
            int chunk = random.Next(1, tokens + 1);
            (double sum, float[][] one) = Run(1);
            (double again, float[][] three) = Run(3);
            return sum.Equals(again) && one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second))
                && Math.Abs(sum - loss) <= 2e-6 * (1 + loss) && Math.Abs(sum + one[2].Sum(v => (double)v)) <= 1e-6 * (1 + loss)
                && Gradients.Distance(one[0], dHidden) < 5e-6 && Gradients.Distance(one[1], dHead) < 5e-6 && Gradients.Distance(one[3], dBias) < 5e-6;

            (double, float[][]) Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] dh = new float[hidden.Length], dw = new float[head.Length], logs = new float[tokens], db = [.. bias];
                fixed (float* ph = hidden, pw = head, th = dh, tw = dw)
                {
                    double result = LinearCrossEntropy.Compute(
                        new MatrixView(ph, tokens, d), new MatrixView(pw, vocabulary, d), targets, 0.7f, cap, 0.5f,
                        new MatrixView(th, tokens, d), new MatrixView(tw, vocabulary, d), logs, new float[chunk * (vocabulary + 1)], team, bias, db);
                    return (result, [dh, dw, logs, db]);
                }
            }
        }, iter: 30);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences(double cap)
    {
        const int D = 5, Vocabulary = 7;
        Random random = new(9);
        int[] targets = [3, -1, 0, 6];
        double[] hidden = Gradients.Widen(Gradients.Values(random, targets.Length * D)), head = Gradients.Widen(Gradients.Values(random, Vocabulary * D));
        double[] bias = Gradients.Widen(Gradients.Values(random, Vocabulary)), dHidden = new double[hidden.Length], dHead = new double[head.Length], dBias = new double[Vocabulary];
        LinearCrossEntropy.Scalar(hidden, head, targets, 1.3, cap, 1, dHidden, dHead, bias, dBias);
        Assert.True(Gradients.Error(hidden, dHidden, Loss) < 1e-5);
        Assert.True(Gradients.Error(head, dHead, Loss) < 1e-5);
        Assert.True(Gradients.Error(bias, dBias, Loss) < 1e-5);

        double Loss() => LinearCrossEntropy.Scalar(hidden, head, targets, 1.3, cap, 1, [], [], bias);
    }

    [Fact]
    public void WrongTargetsAndTooLittleRoomAreRefused()
    {
        float[] values = new float[12];
        fixed (float* p = values)
        {
            MatrixView hidden = new(p, 2, 3), head = new(p, 4, 3);
            Assert.Throws<ArgumentOutOfRangeException>(() => LinearCrossEntropy.Compute(hidden, head, [0, 4], 1, 0, 1, null, null, [], new float[5]));
            Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Compute(hidden, head, [0, 1], 1, 0, 1, null, null, [], new float[4]));
            Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Compute(hidden, head, [0, 1], 1, 0, 1, null, null, [], new float[5], headBias: new float[3]));
            Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Compute(hidden, head, [0, 1], 1, 0, 1, null, null, [], new float[5], dHeadBias: new float[4]));
            Assert.Equal(1, LinearCrossEntropy.CountTargets([-1, 2]));
        }
    }
}
