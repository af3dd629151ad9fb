using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class LinearDistillationTests
{
    [Fact]
    public void LossAndGradientsAgreeWithTheTwinInAnyChunksAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 30], Gen.Int[1, 30], Gen.Int[2, 1500], Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[0, 1 << 20]).Sample((tokens, d, vocabulary, capped, biased, accumulate, seed) =>
        {
            Random random = new(seed);
            int wide = random.Next(1, 40), chunk = random.Next(1, tokens + 1);
            float cap = capped ? 3 : 0, tau = 0.5f + 3 * random.NextSingle();
            float[] hidden = Gradients.Values(random, tokens * d), head = Gradients.Values(random, vocabulary * d), bias = biased ? Gradients.Values(random, vocabulary) : [];
            float[] teacher = Gradients.Values(random, tokens * wide), teacherHead = Gradients.Values(random, vocabulary * wide), teacherBias = biased ? Gradients.Values(random, vocabulary) : [];
            float[] start = Gradients.Values(random, hidden.Length);
            int[] targets = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(-1, 3))];
            double loss = 0;
            double[] w = Gradients.Widen(head), b = Gradients.Widen(bias), dHidden = accumulate ? Gradients.Widen(start) : new double[hidden.Length], dHead = Gradients.Widen(head), dBias = Gradients.Widen(bias);
            for (int n = 0; n < tokens; n++)
            {
                if (targets[n] == -1)
                    continue;
                double[] t = PlainDistillation.Logits(Gradients.Widen(teacher[(n * wide)..((n + 1) * wide)]), Gradients.Widen(teacherHead), Gradients.Widen(teacherBias), 1.3f, 2 * cap);
                loss += PlainDistillation.Token(Gradients.Widen(hidden[(n * d)..((n + 1) * d)]), w, b, 0.7f, cap, t, tau, 0.5, dHidden.AsSpan(n * d, d), dHead, dBias);
            }

            (double sum, float[][] one) = Run(1, true);
            (double again, float[][] three) = Run(3, true);
            return sum.Equals(again) && sum.Equals(Run(1, false).Loss) && one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Math.Abs(sum - loss) <= 2e-6 * (1 + loss)
                && Gradients.Distance(one[0], dHidden) < 5e-6 && Gradients.Distance(one[1], dHead) < 5e-6 && Gradients.Distance(one[2], dBias) < 5e-6;

            (double Loss, float[][] Gradients) Run(int threads, bool gradients)
            {
                using ThreadTeam team = new(threads);
                float[] dh = [.. start], dw = [.. head], db = [.. bias];
                fixed (float* ph = hidden, pw = head, pt = teacher, pv = teacherHead, th = dh, tw = dw)
                {
                    LogitSource student = new(new MatrixView(ph, tokens, d), new MatrixView(pw, vocabulary, d), bias, 0.7f, cap);
                    LogitSource source = new(new MatrixView(pt, tokens, wide), new MatrixView(pv, vocabulary, wide), teacherBias, 1.3f, 2 * cap);
                    double result = LinearDistillation.Compute(
                        student, source, targets, tau, 0.5f, gradients ? new MatrixView(th, tokens, d) : null, gradients ? new MatrixView(tw, vocabulary, d) : null,
                        gradients ? db : [], new float[chunk * (2 * vocabulary + 1)], accumulate, team);
                    return (result, [dh, dw, db]);
                }
            }
        }, iter: 30);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 2.5)]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences(double cap, double temperature)
    {
        const int D = 5, Vocabulary = 7;
        Random random = new(9);
        double[] hidden = Gradients.Widen(Gradients.Values(random, D)), head = Gradients.Widen(Gradients.Values(random, Vocabulary * D)), bias = Gradients.Widen(Gradients.Values(random, Vocabulary));
        double[] teacher = Gradients.Widen(Gradients.Values(random, Vocabulary, 2)), dHidden = new double[D], dHead = new double[head.Length], dBias = new double[Vocabulary];
        double loss = PlainDistillation.Token(hidden, head, bias, 1.3, cap, teacher, temperature, 1, dHidden, dHead, dBias);
        Assert.True(loss > 0);
        Assert.True(Gradients.Error(hidden, dHidden, Loss) < 1e-5);
        Assert.True(Gradients.Error(head, dHead, Loss) < 1e-5);
        Assert.True(Gradients.Error(bias, dBias, Loss) < 1e-5);

        double Loss() => PlainDistillation.Token(hidden, head, bias, 1.3, cap, teacher, temperature, 1, [], [], []);
    }

    [Fact]
    public void AStudentThatIsItsTeacherLosesNothingAndWrongSizesAreRefused()
    {
        Random random = new(2);
        float[] hidden = Gradients.Values(random, 6), head = Gradients.Values(random, 300, 5), change = new float[6];
        fixed (float* p = hidden, w = head, d = change)
        {
            MatrixView rows = new(p, 2, 3), table = new(w, 100, 3), gradient = new(d, 2, 3), smaller = new(w, 99, 3);
            Assert.Equal(0, LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], 2, 1, gradient, null, [], new float[402]), 1e-6);
            Assert.All(change, value => Assert.Equal(0, value, 1e-6f));
            Assert.Throws<ArgumentException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, smaller), [0, 0], 2, 1, null, null, [], new float[402]));
            Assert.Throws<ArgumentException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], 2, 1, null, null, [], new float[200]));
            Assert.Throws<ArgumentOutOfRangeException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], 0, 1, null, null, [], new float[402]));
            Assert.Throws<ArgumentException>(() => new LogitSource(rows, table, new float[99]).Head);
        }
    }
}
