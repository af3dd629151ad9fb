using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class AttentionTests : IDisposable
{
    // Whatever this processor can run; the portable path always.
    public static readonly TheoryData<string> Paths = [.. Enum.GetValues<Isa>().Where(IsaChoice.Supports).Select(isa => isa.ToString())];

    private readonly ThreadTeam _one = new(1), _three = new(3);

    public void Dispose()
    {
        _one.Dispose();
        _three.Dispose();
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void ResultsAndGradientsAreTheTwinsOnAnyShapeAndRule(string path)
    {
        Gen<int> time = Gen.OneOf(Gen.Int[1, 20], Of(47, 48, 49, 63, 64, 65, 95, 96, 97, 129, 255, 257, 290, 515), Gen.Int[1, 150]);
        Gen.Select(time, Of(1, 3, 8, 16, 31, 32, 33, 48, 64, 65), Gen.Int[0, 1 << 20]).Sample((t, k, seed) => Check(path, t, k, seed), iter: 60);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void BitsAreTheSameForAnyNumberOfThreads(string path)
    {
        Case c = new(77, 2, 300, 6, 3, 33, 20, anyRule: true);
        using ThreadTeam eight = new(8);
        float[][] one = c.Run(_one, Enum.Parse<Isa>(path));
        foreach (ThreadTeam team in new[] { _three, eight })
        {
            float[][] other = c.Run(team, Enum.Parse<Isa>(path));
            for (int i = 0; i < one.Length; i++)
                Assert.Equal(one[i], other[i]);
        }
    }

    [Fact]
    public void HiddenKeysAndValuesAreNotTouched()
    {
        // A window: queries from 192 on see nothing before 182. What earlier keys hold must not matter to them; and documents
        // that nobody else sees spoil themselves alone.
        foreach (bool documents in new[] { false, true })
        {
            Case c = new(3, 1, 240, 2, 1, 32, 32, anyRule: false);
            VisibilityRule rule = documents ? VisibilityRule.Causal : new VisibilityRule { Window = 11 };
            c.Visible[0].Set(rule, 240, documents ? [.. Enumerable.Range(0, 240).Select(i => i / 96)] : []);
            float[][] clean = c.Run(_three, IsaChoice.Current);
            for (int i = 0; i < 96 * 32; i++)
                c.Key[i] = c.Value[i] = float.NaN;
            float[][] poisoned = c.Run(_three, IsaChoice.Current);
            // Results and query gradients of 192 and later, gradients of keys and values likewise: the same bits.
            foreach (int array in new[] { 0, 2, 3, 4 })
            {
                int size = clean[array].Length / 240, from = 192;
                Assert.All(clean[array], value => Assert.True(float.IsFinite(value)));
                Assert.Equal(clean[array].AsSpan(from * size).ToArray(), poisoned[array].AsSpan(from * size).ToArray());
            }

            Assert.True(float.IsNaN(poisoned[0][0]));
        }
    }

    [Fact]
    public void ClosedSegmentsAreNotTouchedByLaterTiles()
    {
        Case c = new(3, 1, 240, 2, 1, 32, 32, anyRule: false);
        bool[] anchors = [.. Enumerable.Range(0, 240).Select(i => i % 12 == 11)];
        c.Visible[0].Set(new VisibilityRule { Segments = true }, 240, anchors: anchors);
        float[][] clean = c.Run(_one, IsaChoice.Current);
        for (int i = 0; i < 96 * 32; i++)
        {
            if (!anchors[i / 32])
                c.Key[i] = c.Value[i] = float.NaN;
        }

        float[][] poisoned = c.Run(_one, IsaChoice.Current);
        foreach (int array in new[] { 0, 2 })
        {
            int size = clean[array].Length / 240;
            Assert.Equal(clean[array].AsSpan(96 * size).ToArray(), poisoned[array].AsSpan(96 * size).ToArray());
        }

        Assert.Equal(clean[3].AsSpan(96 * 32).ToArray(), poisoned[3].AsSpan(96 * 32).ToArray());
    }

    [Fact]
    public void TheTwinsGradientsAreItsDifferences()
    {
        for (int seed = 0; seed < 12; seed++)
        {
            Case c = new(seed, 1 + seed % 2, 9, 4, 1 << (seed % 3), 3, 5, anyRule: true);
            double[][] inputs = [Widen(c.Query), Widen(c.Key), Widen(c.Value)];
            double[] weights = Widen(c.OutputGradient);
            (double[] dq, double[] dk, double[] dv) = c.Twin.Backward(inputs[0], inputs[1], inputs[2], weights);
            double[][] gradients = [dq, dk, dv];
            for (int array = 0; array < 3; array++)
            {
                double greatest = gradients[array].Max(Math.Abs);
                for (int i = 0; i < inputs[array].Length; i++)
                {
                    double at = inputs[array][i], step = 1e-5;
                    inputs[array][i] = at + step;
                    double up = Loss();
                    inputs[array][i] = at - step;
                    double down = Loss();
                    inputs[array][i] = at;
                    Assert.True(Math.Abs((up - down) / (2 * step) - gradients[array][i]) <= 1e-6 * greatest, $"seed {seed}, input {array}, value {i}");
                }
            }

            double Loss() => c.Twin.Forward(inputs[0], inputs[1], inputs[2]).Output.Zip(weights, (o, w) => o * w).Sum();
        }
    }

    [Fact]
    public void ASteadyStateAllocatesNothing()
    {
        Case c = new(4, 2, 70, 4, 2, 32, 32, anyRule: false);
        c.Run(_one, IsaChoice.Current);
        c.Run(_one, IsaChoice.Current, fresh: false);
        long before = GC.GetAllocatedBytesForCurrentThread();
        c.Run(_one, IsaChoice.Current, fresh: false);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ShapesThatDoNotMatchAreErrors()
    {
        AttentionSettings settings = new() { Scale = 1 };
        Visibility[] visible = [new Visibility(4)];
        HeadsView good = new(null, 1, 4, 2, 8);
        Throws(good, new HeadsView(null, 1, 4, 3, 8), good, 8);
        Throws(good, new HeadsView(null, 1, 5, 2, 8), good, 8);
        Throws(good, good, new HeadsView(null, 2, 4, 2, 8), 8);
        Throws(good, good, good, 7);
        Throws(new HeadsView(null, 1, 3, 2, 8), new HeadsView(null, 1, 3, 2, 8), new HeadsView(null, 1, 3, 2, 8), 6);

        void Throws(HeadsView q, HeadsView k, HeadsView v, int sums)
            => Assert.Throws<ArgumentException>(() => Attention.Forward(q, k, v, q, new float[sums], settings, visible));
    }

    private void Check(string path, int time, int headDim, int seed)
    {
        Random random = new(seed);
        int groups = 1 + random.Next(2), heads = groups * (1 + random.Next(3));
        Case c = new(seed, 1 + random.Next(2), time, heads, groups, headDim, random.Next(3) == 0 ? 1 + random.Next(70) : headDim, anyRule: true);
        float[][] found = c.Run(random.Next(2) == 0 ? _one : _three, Enum.Parse<Isa>(path));
        double[] q = Widen(c.Query), k = Widen(c.Key), v = Widen(c.Value);
        (double[] output, double[] logs) = c.Twin.Forward(q, k, v);
        (double[] dq, double[] dk, double[] dv) = c.Twin.Backward(q, k, v, Widen(c.OutputGradient));
        double[][] expected = [output, logs, dq, dk, dv];
        for (int array = 0; array < 5; array++)
        {
            double most = Math.Max(1, expected[array].Max(Math.Abs));
            for (int i = 0; i < expected[array].Length; i++)
            {
                if (!(Math.Abs(expected[array][i] - found[array][i]) <= 5e-6 * most))
                    Assert.Fail($"array {array}, value {i}: {found[array][i]}, not {expected[array][i]}; {time} x {headDim}, seed {seed}");
            }
        }
    }

    private static Gen<int> Of(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static double[] Widen(float[] values) => Array.ConvertAll(values, value => (double)value);

    // Queries, keys and values lie side by side in one buffer, as a fused projection leaves them.
    private sealed class Case
    {
        private readonly int _batch, _time, _heads, _groups, _k, _v;
        private readonly float[] _slopes;
        private readonly AttentionSettings _settings;
        private float[] _fused = [], _fusedGradient = [], _output = [], _logs = [];

        public Case(int seed, int batch, int time, int heads, int groups, int k, int v, bool anyRule)
        {
            Random random = new(seed);
            (_batch, _time, _heads, _groups, _k, _v) = (batch, time, heads, groups, k, v);
            float[] Values(int count, float scale) => [.. Enumerable.Range(0, count).Select(_ => scale * (float)(random.NextDouble() * 4 - 2))];
            Query = Values(batch * time * heads * k, 1);
            Key = Values(batch * time * groups * k, 1);
            Value = Values(batch * time * groups * v, 1);
            OutputGradient = Values(batch * time * heads * v, 0.5f);
            // Biases stay below 30: single precision then holds more digits behind the point than the check asks for.
            _slopes = anyRule && random.Next(3) == 0 ? Values(heads, 0.3f * Math.Min(1, 50f / time)) : [];
            _settings = new AttentionSettings { Scale = 1 / MathF.Sqrt(k), SoftCap = anyRule && random.Next(3) == 0 ? 1.5f : 0 };
            RandomRule[] rules = [.. Enumerable.Range(0, anyRule && random.Next(2) == 0 ? batch : 1).Select(b => new RandomRule(seed + b, time))];
            Visible = anyRule ? [.. rules.Select(rule => rule.Described())] : [new Visibility(time)];
            Func<int, int, int, bool> sees = anyRule ? (b, i, j) => rules[rules.Length == 1 ? 0 : b].Sees(i, j) : (_, i, j) => j <= i;
            Twin = new PlainAttention((batch, time, heads, groups, k, v), _settings, [.. _slopes.Select(slope => (double)slope)], sees);
        }

        public float[] Query { get; }

        public float[] Key { get; }

        public float[] Value { get; }

        public float[] OutputGradient { get; }

        public Visibility[] Visible { get; }

        public PlainAttention Twin { get; }

        /// <summary>Result, log-sum-exp and the three gradients.</summary>
        public float[][] Run(ThreadTeam team, Isa isa, bool fresh = true)
        {
            int width = _heads * _k + _groups * (_k + _v);
            if (fresh)
            {
                _fused = new float[_batch * _time * width];
                _fusedGradient = new float[_fused.Length];
                _output = new float[OutputGradient.Length];
                _logs = new float[_batch * _heads * _time];
            }

            fixed (float* data = _fused, gradient = _fusedGradient, output = _output, dOutput = OutputGradient)
            {
                Span<float> logs = _logs;
                HeadsView q = Part(data, 0, _heads, _k), k = Part(data, _heads * _k, _groups, _k), v = Part(data, (_heads + _groups) * _k, _groups, _v);
                HeadsView dq = Part(gradient, 0, _heads, _k), dk = Part(gradient, _heads * _k, _groups, _k), dv = Part(gradient, (_heads + _groups) * _k, _groups, _v);
                HeadsView o = new(output, _batch, _time, _heads, _v);
                Copy(Query, q, true);
                Copy(Key, k, true);
                Copy(Value, v, true);
                Attention.Forward(q, k, v, o, logs, _settings, Visible, _slopes, team, isa);
                Attention.Backward(q, k, v, o, logs, new HeadsView(dOutput, _batch, _time, _heads, _v), dq, dk, dv, _settings, Visible, _slopes, team, isa);
                if (!fresh)
                    return [];
                float[] queryGradient = new float[Query.Length], keyGradient = new float[Key.Length], valueGradient = new float[Value.Length];
                Copy(queryGradient, dq, false);
                Copy(keyGradient, dk, false);
                Copy(valueGradient, dv, false);
                return [_output, _logs, queryGradient, keyGradient, valueGradient];
            }

            HeadsView Part(float* start, int offset, int heads, int size) => new(start + offset, _batch, _time, heads, size, (long)_time * width, width, size);
        }

        private static void Copy(float[] values, HeadsView view, bool into)
        {
            int row = view.Heads * view.HeadDim;
            for (int i = 0; i < view.Batch * view.Time; i++)
            {
                Span<float> there = new(view.Data + i * view.TimeStride, row), here = values.AsSpan(i * row, row);
                if (into)
                    here.CopyTo(there);
                else
                    there.CopyTo(here);
            }
        }
    }
}
