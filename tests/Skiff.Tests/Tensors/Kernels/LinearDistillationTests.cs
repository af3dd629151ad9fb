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
                        student, source, targets, new DistillationGoal(Temperature: tau), 0.5f, gradients ? new MatrixView(th, tokens, d) : null, gradients ? new MatrixView(tw, vocabulary, d) : null,
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
            Assert.Equal(0, LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], new DistillationGoal(Temperature: 2), 1, gradient, null, [], new float[402]), 1e-6);
            Assert.All(change, value => Assert.Equal(0, value, 1e-6f));
            Assert.Throws<ArgumentException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, smaller), [0, 0], new DistillationGoal(Temperature: 2), 1, null, null, [], new float[402]));
            Assert.Throws<ArgumentException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], new DistillationGoal(Temperature: 2), 1, null, null, [], new float[200]));
            Assert.Throws<ArgumentOutOfRangeException>(() => LinearDistillation.Compute(new LogitSource(rows, table), new LogitSource(rows, table), [0, 0], new DistillationGoal(Temperature: 0), 1, null, null, [], new float[402]));
            Assert.Throws<ArgumentException>(() => new LogitSource(rows, table, new float[99]).Head);
        }
    }

    // Over odd vocabularies and each divergence: the loss by its formula in double precision, the gradient by its slope.
    [Theory]
    [InlineData(Divergence.ForwardKl, 1, 5)]
    [InlineData(Divergence.ReverseKl, 1, 0)]
    [InlineData(Divergence.ReverseKl, 2.5f, 0)]
    [InlineData(Divergence.ReverseKl, 1, 4)]
    [InlineData(Divergence.JensenShannon, 1, 0)]
    [InlineData(Divergence.JensenShannon, 0.7f, 0)]
    [InlineData(Divergence.MeanSquare, 1, 0)]
    [InlineData(Divergence.Cosine, 1, 0)]
    [InlineData(Divergence.Cosine, 1, 6)]
    public void EveryDivergenceIsItsFormula(Divergence kind, float tau, int top)
    {
        foreach ((int vocabulary, float cap) in new[] { (7, 0f), (16, 2f), (33, 0f), (1500, 3f) })
        {
            Random random = new(vocabulary);
            const int Tokens = 3, D = 4, Wide = 5;
            float[] hidden = Gradients.Values(random, Tokens * D), head = Gradients.Values(random, vocabulary * D), teacher = Gradients.Values(random, Tokens * Wide), teacherHead = Gradients.Values(random, vocabulary * Wide);
            float[] dHidden = new float[hidden.Length];
            double loss;
            fixed (float* ph = hidden, pw = head, pt = teacher, pv = teacherHead, th = dHidden)
            {
                loss = LinearDistillation.Compute(
                    new LogitSource(new MatrixView(ph, Tokens, D), new MatrixView(pw, vocabulary, D), default, 0.8f, cap), new LogitSource(new MatrixView(pt, Tokens, Wide), new MatrixView(pv, vocabulary, Wide)),
                    [0, -1, 0], new DistillationGoal(kind, tau, top), 1, new MatrixView(th, Tokens, D), null, [], new float[4 * (2 * vocabulary + 1)]);
            }

            double[] wide = Gradients.Widen(hidden);
            Assert.Equal(Formula(), loss, 1e-5 * (1 + Math.Abs(loss)));
            Assert.True(Gradients.Error(wide, Gradients.Widen(dHidden), Formula) < 2e-4);

            double Formula()
            {
                double sum = 0;
                foreach (int n in new[] { 0, 2 })
                {
                    double[] s = [.. Enumerable.Range(0, vocabulary).Select(v => Enumerable.Range(0, D).Sum(i => wide[(n * D) + i] * head[(v * D) + i]) * 0.8).Select(z => (cap > 0 ? cap * Math.Tanh(z / cap) : z) / tau)];
                    double[] t = [.. Enumerable.Range(0, vocabulary).Select(v => Enumerable.Range(0, Wide).Sum(i => (double)teacher[(n * Wide) + i] * teacherHead[(v * Wide) + i]) / tau)];
                    if (top > 0)
                    {
                        int[] likeliest = [.. Enumerable.Range(0, vocabulary).OrderByDescending(v => t[v]).Take(top)];
                        (s, t) = ([.. likeliest.Select(v => s[v])], [.. likeliest.Select(v => t[v])]);
                    }

                    double[] q = Softmax(s), p = Softmax(t), m = [.. q.Zip(p, (a, b) => (a + b) / 2)];
                    sum += tau * tau * kind switch
                    {
                        Divergence.ForwardKl => Kl(p, q),
                        Divergence.ReverseKl => Kl(q, p),
                        Divergence.JensenShannon => (Kl(p, m) + Kl(q, m)) / 2,
                        Divergence.MeanSquare => s.Zip(t, (a, b) => (a - b) * (a - b)).Average(),
                        _ => 1 - (s.Zip(t, (a, b) => a * b).Sum() / Math.Sqrt(s.Sum(a => a * a) * t.Sum(b => b * b))),
                    };
                }

                return sum;
            }
        }

        static double[] Softmax(double[] z) => [.. z.Select(value => Math.Exp(value - z.Max())).ToArray() is var e ? e.Select(value => value / e.Sum()) : []];

        static double Kl(double[] a, double[] b) => a.Zip(b, (x, y) => x > 0 ? x * Math.Log(x / y) : 0).Sum();
    }
}
