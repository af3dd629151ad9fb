using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class AttentionMassTests : IDisposable
{
    private readonly ThreadTeam _one = new(1), _three = new(3);

    public void Dispose()
    {
        _one.Dispose();
        _three.Dispose();
    }

    [Fact]
    public void MassIsTheTwinsAndHasTheSameBitsInAnyPiecesAndForAnyThreads()
    {
        Gen<int> time = Gen.OneOf(Gen.Int[1, 20], Of(63, 64, 65, 127, 128, 129, 191, 193), Gen.Int[1, 200]);
        Gen.Select(time, Gen.Int[1, 3], Gen.Int[1, 4], Gen.OneOf(Of(3, 4, 8, 16, 32, 64, 65), Gen.Int[3, 65]), Gen.Int[0, 1 << 20])
            .Sample((t, groups, share, k, seed) => new Case(t, groups, share, k, seed).Check(_one, _three), iter: 60);
    }

    [Fact]
    public void EachCountedRowGivesOneForEachOfItsHeads()
    {
        Case c = new(150, 2, 3, 16, 7);
        foreach (int first in new[] { 0, 1, 100, 149, 150, 1000 })
        {
            float[] mass = c.Run(_three, [90, 60], first);
            for (int g = 0; g < 2; g++)
                Assert.Equal(3.0 * Math.Max(0, 150 - first), mass.Skip(g * Case.Width(150)).Take(150).Sum(m => (double)m), 0.001);
        }
    }

    [Fact]
    public void NormsAreTheTwinsForAnyThreads()
    {
        Gen.Select(Gen.Int[1, 200], Gen.Int[1, 4], Gen.Int[3, 65], Gen.Int[0, 1 << 20]).Sample((t, groups, k, seed) =>
        {
            Case c = new(t, groups, 1, k, seed);
            float[] norms = c.Norms(_one);
            Assert.Equal(norms, c.Norms(_three));
            for (int g = 0; g < groups; g++)
            {
                for (int j = 0; j < Case.Width(t); j++)
                {
                    double expected = j >= t ? Case.Untouched : Math.Sqrt(Enumerable.Range(0, k).Sum(i => Math.Pow(c.Key[(j * groups + g) * k + i], 2)));
                    Assert.Equal(expected, norms[g * Case.Width(t) + j], 2e-6 * expected);
                }
            }
        }, iter: 40);
    }

    [Fact]
    public void SizesThatDoNotFitAreRefused()
    {
        Case c = new(70, 2, 2, 8, 1);
        Assert.Throws<ArgumentException>(() => c.Run(_one, [70], 0, massColumns: 69));
        Assert.Throws<ArgumentException>(() => c.Run(_one, [70], 0, massRows: 1));
        Assert.Throws<ArgumentException>(() => c.Run(_one, [70], 0, queryColumns: 8));
        Assert.Throws<ArgumentException>(() => c.Run(_one, [70], 0, queryColumns: 31));
        Assert.Throws<ArgumentException>(() => new Case(70, 2, 2, 8, 1) { Type = TensorType.I8 }.Run(_one, [70], 0));
        Assert.Throws<ArgumentException>(() => new Case(70, 2, 2, 8, 1) { Type = TensorType.I16 }.Norms(_one));
    }

    private static Gen<int> Of(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>One sequence with random numbers; H is G times the share.</summary>
    private sealed class Case
    {
        // What lies where nothing is to be written.
        public const float Untouched = 0.5f;

        private const float Scale = 0.6f;

        private readonly int _time, _groups, _share, _k, _seed;
        private readonly float[] _query, _factors;
        private readonly float _softCap;

        public Case(int time, int groups, int share, int k, int seed)
        {
            Random random = new(seed);
            (_time, _groups, _share, _k, _seed) = (time, groups, share, k, seed);
            _query = Gradients.Values(random, time * groups * share * k, 2);
            Key = Gradients.Values(random, time * groups * k, 2);
            _factors = random.Next(3) == 0 ? Gradients.Values(random, time, 1.5) : [];
            _softCap = random.Next(3) == 0 ? 3 : 0;
        }

        public float[] Key { get; }

        public TensorType Type { get; init; } = TensorType.F32;

        /// <summary>Rows of results lie apart.</summary>
        public static int Width(int time) => time + 3;

        public void Check(ThreadTeam one, ThreadTeam three)
        {
            Random random = new(_seed);
            int firstCounted = random.Next(2) == 0 ? 0 : random.Next(_time);
            float[] whole = Run(one, [_time], firstCounted);
            double[] expected = Plain(firstCounted);
            // Each probability errs by its score's error, 1e-6 or so; as many are summed as there are rows and heads.
            double distance = Gradients.Distance(whole, expected);
            Assert.True(distance < 2e-5, $"off by {distance}");
            List<int> pieces = [];
            for (int left = _time; left > 0; left -= pieces[^1])
                pieces.Add(Math.Min(left, random.Next(3) == 0 ? 1 : random.Next(1, 60)));
            Assert.Equal(whole, Run(three, [.. pieces], firstCounted));
            Assert.Equal(whole, Run(random.Next(2) == 0 ? one : three, [.. Enumerable.Repeat(1, _time)], firstCounted));
        }

        // The definition, a probability at a time.
        private double[] Plain(int firstCounted)
        {
            double[] mass = new double[_groups * Width(_time)];
            for (int g = 0; g < _groups; g++)
            {
                for (int j = _time; j < Width(_time); j++)
                    mass[g * Width(_time) + j] = Untouched;
            }

            int heads = _groups * _share;
            for (int i = firstCounted; i < _time; i++)
            {
                for (int h = 0; h < heads; h++)
                {
                    double[] p = new double[i + 1];
                    for (int j = 0; j <= i; j++)
                    {
                        for (int c = 0; c < _k; c++)
                            p[j] += (double)_query[(i * heads + h) * _k + c] * Key[(j * _groups + h / _share) * _k + c];
                        p[j] *= Scale * (_factors.Length > 0 ? _factors[i] : 1);
                        p[j] = _softCap > 0 ? _softCap * Math.Tanh(p[j] / _softCap) : p[j];
                    }

                    double most = p.Max(), total = p.Sum(score => Math.Exp(score - most));
                    for (int j = 0; j <= i; j++)
                        mass[h / _share * Width(_time) + j] += Math.Exp(p[j] - most) / total;
                }
            }

            return mass;
        }

        public float[] Run(ThreadTeam team, int[] pieces, int firstCounted, int? massColumns = null, int? massRows = null, int? queryColumns = null)
        {
            int width = Width(_time), queries = _groups * _share * _k, position = 0;
            float[] mass = NewResult();
            mass.AsSpan().Replace(Untouched, 0);
            for (int g = 0; g < _groups; g++)
                mass.AsSpan(g * width + _time, width - _time).Fill(Untouched);
            fixed (float* q = _query, m = mass, f = _factors)
            {
                KeyValueTiles tiles = Cache(out Tensor memory, team);
                foreach (int count in pieces)
                {
                    CachedRows rows = new(tiles, 0, count, position);
                    AttentionMass.Add(
                        rows, new MatrixView(q + position * queries, count, queryColumns ?? queries, queries), f is null ? null : f + position,
                        new CachedAttentionSettings { Scale = Scale, SoftCap = _softCap }, firstCounted,
                        new MatrixView(m, massRows ?? _groups, massColumns ?? _time, width), team);
                    position += count;
                }

                GC.KeepAlive(memory);
            }

            return mass;
        }

        public float[] Norms(ThreadTeam team)
        {
            float[] norms = NewResult();
            fixed (float* n = norms)
            {
                KeyNorms.Compute(Cache(out Tensor memory, team), new MatrixView(n, _groups, _time, Width(_time)), team);
                GC.KeepAlive(memory);
            }

            return norms;
        }

        private float[] NewResult()
        {
            float[] result = new float[_groups * Width(_time)];
            Array.Fill(result, Untouched);
            return result;
        }

        // Pages that hold NaN but for the keys: what no row may read shows.
        private KeyValueTiles Cache(out Tensor memory, ThreadTeam team)
        {
            const int ValueDim = 2;
            KeyValueShape shape = new(_groups, _k, ValueDim, Type);
            int tiles = KeyValueTiles.TilesOf(_time);
            memory = Tensor.Allocate(TensorType.U8, tiles * (shape.PageBytes + sizeof(long)));
            new Span<byte>(memory.Data, checked((int)memory.ByteLength)).Fill(0xFF);
            byte** pages = (byte**)(memory.Data + tiles * shape.PageBytes);
            for (int tile = 0; tile < tiles; tile++)
                pages[tile] = memory.Data + tile * shape.PageBytes;
            CachedRows all = new(new KeyValueTiles(pages, shape), 0, _time, 0);
            fixed (float* k = Key, v = new float[_time * _groups * ValueDim])
                CacheWrite.Run(&all, 1, new MatrixView(k, _time, _groups * _k), new MatrixView(v, _time, _groups * ValueDim), ValueDim, team);
            return all.Near;
        }
    }
}
