using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class CachedAttentionTests : IDisposable
{
    // Whatever this processor can run; the portable path always.
    public static readonly TheoryData<string> Paths = [.. Enum.GetValues<Isa>().Where(IsaChoice.Supports).Select(isa => isa.ToString())];

    private static readonly TensorType[] s_types = [TensorType.F32, TensorType.I16, TensorType.I8];

    private readonly ThreadTeam _one = new(1), _three = new(3);

    public void Dispose()
    {
        _one.Dispose();
        _three.Dispose();
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void ResultsAreTheTwinsAndHaveTheSameBitsInAnyChunksAndForAnyThreads(string path)
    {
        Gen<int> time = Gen.OneOf(Gen.Int[1, 20], Of(63, 64, 65, 127, 128, 129, 191, 193), Gen.Int[1, 150]);
        Gen.Select(time, Gen.Int[1, 3], Of(1, 2, 3, 5, 8, 13), Of(1, 3, 8, 16, 31, 33, 48, 64), Of(1, 4, 15, 32, 40, 64), Gen.Int[0, 1 << 20])
            .Sample((t, groups, share, k, v, seed) => new Case(t, groups, share, k, v, seed) { Type = s_types[seed % 3] }.Check(Enum.Parse<Isa>(path), _one, _three), iter: 50);
    }

    [Fact]
    public void LongSequencesAreSharedOutWithTheSameBits()
    {
        // Enough tiles for several parts a head, few enough heads that they are shared out.
        Case c = new(900, 1, 4, 64, 64, 3);
        float[] whole = c.Run(IsaChoice.Current, _one, [900]);
        Assert.Equal(whole, c.Run(IsaChoice.Current, _three, [850, .. Enumerable.Repeat(1, 30), 20]));
    }

    [Fact]
    public void SequencesBesideEachOtherKeepTheirBits()
    {
        // Sequences of a pass share the rule.
        Case[] cases = [Plain(130, 1), Plain(1, 2), Plain(70, 3), Plain(40, 4)];
        float[][] alone = [.. cases.Select(c => c.Run(IsaChoice.Current, _one, [c.Time]))];
        foreach (ThreadTeam team in new[] { _one, _three })
        {
            float[][] together = Case.RunTogether(cases, team);
            for (int i = 0; i < cases.Length; i++)
                Assert.Equal(alone[i], together[i]);
        }
    }

    private static Gen<int> Of(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static Case Plain(int time, int seed) => new(time, 2, 3, 16, 16, seed) { Rule = new() { Window = 50, Sinks = 3 }, Plain = true };

    [Fact]
    public void WhatTheWindowHidesIsNotTouched()
    {
        Case c = new(300, 2, 2, 16, 16, 5) { Rule = new() { Window = 70, Sinks = 2 }, Plain = true };
        float[] clean = c.Run(IsaChoice.Current, _one, [100, 50, 50, 100]);
        for (int position = 2; position < 130; position++)
        {
            c.Key.AsSpan(position * 32, 32).Fill(float.NaN);
            c.Value.AsSpan(position * 32, 32).Fill(float.NaN);
        }

        float[] poisoned = c.Run(IsaChoice.Current, _one, [100, 50, 50, 100]);
        Assert.Equal(clean.AsSpan(200 * 64).ToArray(), poisoned.AsSpan(200 * 64).ToArray());
        Assert.True(float.IsNaN(poisoned[150 * 64]));
    }

    [Fact]
    public void SizesThatDoNotFitAreRefused()
    {
        Case c = new(4, 2, 2, 8, 8, 1);
        Assert.Throws<ArgumentException>(() => c.Run(IsaChoice.Current, _one, [4], slopes: new float[3]));
    }

    /// <summary>One sequence with random numbers and a random rule.</summary>
    private sealed class Case
    {
        private readonly int _groups, _share, _k, _v;
        private readonly float[] _query, _factors, _slopes;
        private readonly float _softCap;
        private readonly bool[] _closes;
        private readonly int _seed;

        public Case(int time, int groups, int share, int k, int v, int seed)
        {
            Random random = new(seed);
            (Time, _groups, _share, _k, _v, _seed) = (time, groups, share, k, v, seed);
            _query = Gradients.Values(random, time * groups * share * k, 2);
            Key = Gradients.Values(random, time * groups * k, 2);
            Value = Gradients.Values(random, time * groups * v);
            _factors = random.Next(3) == 0 ? Gradients.Values(random, time, 1.5) : [];
            _slopes = random.Next(3) == 0 ? Gradients.Values(random, groups * share, 0.2) : [];
            _softCap = random.Next(3) == 0 ? 3 : 0;
            Rule = AnyRule(random);
            double density = random.Next(4) == 0 ? 1 : random.NextDouble() * 0.3;
            _closes = [.. Enumerable.Range(0, time).Select(_ => random.NextDouble() < density)];
        }

        public int Time { get; }

        public TensorType Type { get; init; } = TensorType.F32;

        public float[] Key { get; }

        public float[] Value { get; }

        public VisibilityRule Rule { get; init; }

        /// <summary>Without cap, slopes and factors.</summary>
        public bool Plain
        {
            init => (_softCap, _slopes, _factors) = value ? (0, [], []) : (_softCap, _slopes, _factors);
        }

        private CachedAttentionSettings Settings => new() { Scale = 0.3f, SoftCap = _softCap };

        public void Check(Isa isa, ThreadTeam one, ThreadTeam three)
        {
            Random random = new(_seed);
            float[] whole = Run(isa, one, [Time]), expected = [.. _query];
            for (int i = 0; i < expected.Length && _factors.Length > 0; i++)
                expected[i] *= _factors[i / (_groups * _share * _k)];
            Visibility seen = new(Time);
            seen.Set(Rule, Time, default, Rule.HasAnchors ? _closes : []);
            PlainAttention plain = new(
                (1, Time, _groups * _share, _groups, _k, _v), new AttentionSettings { Scale = 0.3f, SoftCap = _softCap }, Gradients.Widen(_slopes),
                (_, i, j) => seen.Sees(i, j));
            double distance = Gradients.Distance(whole, plain.Forward(Gradients.Widen(expected), Stored(Key, _k), Stored(Value, _v)).Output);
            Assert.True(distance < 5e-6, $"off by {distance}");
            List<int> chunks = [];
            for (int left = Time; left > 0; left -= chunks[^1])
                chunks.Add(Math.Min(left, random.Next(3) == 0 ? 1 : random.Next(1, 60)));
            Assert.Equal(whole, Run(isa, three, [.. chunks]));
            Assert.Equal(whole, Run(isa, random.Next(2) == 0 ? one : three, [.. Enumerable.Repeat(1, Time)]));
        }

        // What the cache makes of the rows of each head: whole numbers times a scale.
        private double[] Stored(float[] values, int width)
        {
            double[] stored = Gradients.Widen(values);
            float greatest = Type == TensorType.I16 ? short.MaxValue : sbyte.MaxValue;
            for (int row = 0; row < values.Length && Type != TensorType.F32; row += width)
            {
                float scale = values.Skip(row).Take(width).Max(Math.Abs) / greatest, inverse = 1 / scale;
                for (int i = row; i < row + width; i++)
                    stored[i] = (double)MathF.Round(values[i] * inverse) * scale;
            }

            return stored;
        }

        public float[] Run(Isa isa, ThreadTeam team, int[] chunks, float[]? slopes = null)
        {
            float[] output = new float[Time * _groups * _share * _v];
            int position = 0;
            fixed (float* q = _query, k = Key, v = Value, o = output, f = _factors)
            {
                using Cache cache = new(this, chunks.Max());
                int queries = _groups * _share * _k, outputs = _groups * _share * _v;
                foreach (int count in chunks)
                {
                    CachedRows rows = cache.Next(0, count);
                    CacheWrite.Run(&rows, 1, new MatrixView(k + position * _groups * _k, count, _groups * _k), new MatrixView(v + position * _groups * _v, count, _groups * _v), _v, team);
                    CachedAttention.Forward(
                        &rows, 1, new MatrixView(q + position * queries, count, queries), f is null ? null : f + position, slopes ?? _slopes, Settings,
                        new MatrixView(o + position * outputs, count, outputs), team, isa);
                    position += count;
                }
            }

            return output;
        }

        public static float[][] RunTogether(Case[] cases, ThreadTeam team)
        {
            Case first = cases[0];
            int rows = cases.Sum(c => c.Time), row = 0;
            float[] query = [.. cases.SelectMany(c => c._query)], key = [.. cases.SelectMany(c => c.Key)], value = [.. cases.SelectMany(c => c.Value)];
            float[] output = new float[rows * first._groups * first._share * first._v];
            CachedRows* sequences = stackalloc CachedRows[cases.Length];
            List<Cache> caches = [];
            for (int i = 0; i < cases.Length; i++)
            {
                caches.Add(new Cache(cases[i], cases[i].Time));
                sequences[i] = caches[i].Next(row, cases[i].Time);
                row += cases[i].Time;
            }

            fixed (float* q = query, k = key, v = value, o = output)
            {
                CacheWrite.Run(sequences, cases.Length, new MatrixView(k, rows, first._groups * first._k), new MatrixView(v, rows, first._groups * first._v), first._v, team);
                CachedAttention.Forward(
                    sequences, cases.Length, new MatrixView(q, rows, query.Length / rows), null, first._slopes, first.Settings, new MatrixView(o, rows, output.Length / rows), team, IsaChoice.Current);
            }

            caches.ForEach(cache => cache.Dispose());
            int at = 0;
            return [.. cases.Select(c => output[at..(at += c.Time * first._groups * first._share * first._v)])];
        }

        private static VisibilityRule AnyRule(Random random) => random.Next(4) switch
        {
            0 => VisibilityRule.Causal,
            1 => new() { Window = random.Next(1, 100), Sinks = random.Next(2) * random.Next(80) },
            2 => new() { Window = random.Next(1, 50), Sinks = random.Next(2) * random.Next(9), KeepsAnchors = true, AnchorsPerSegment = random.Next(1, 4) },
            _ => new()
            {
                Segments = true,
                AnchorsSeeAnchors = random.Next(2) == 0,
                AnchorsPerSegment = random.Next(1, 4),
                LastVisible = random.Next(2) * random.Next(40),
                LastAnchors = random.Next(3) is var kind && kind == 0 ? random.Next(1, 9) : 0,
                SegmentsPerGroup = kind == 1 ? random.Next(2, 5) : 0,
            },
        };

        /// <summary>Pages that hold anything but numbers, as few as the rule needs: what is near shares them in turn.</summary>
        private sealed class Cache : IDisposable
        {
            private readonly Case _case;
            private readonly VisibilityWalk _walk;
            private readonly Tensor _near, _far, _lists;
            private readonly KeyValueTiles _nearTiles, _farTiles;
            private readonly int* _positions;

            public Cache(Case @case, int mostRows)
            {
                _case = @case;
                _walk = new VisibilityWalk(@case.Rule);
                int time = @case.Time, entries = 0, reach = 0;
                VisibilityWalk ahead = new(@case.Rule);
                for (int i = 0; i < time; i++)
                {
                    ahead.Step(@case._closes[i]);
                    reach = Math.Max(reach, i - ahead.NearStart + 1);
                }

                entries = ahead.FarCount;
                KeyValueShape shape = new(@case._groups, @case._k, @case._v, @case.Type);
                int tiles = KeyValueTiles.TilesOf(time), ring = Math.Min(tiles, (reach + mostRows + 62) / 64 + 1), farTiles = KeyValueTiles.TilesOf(entries);
                // A list's last page may have lanes to spare.
                int layout = @case._seed % 2 == 0 ? entries : int.MaxValue;
                (_near, _nearTiles) = Pages(tiles, ring, shape, int.MaxValue);
                (_far, _farTiles) = Pages(Math.Max(1, farTiles), Math.Max(1, farTiles), shape, layout);
                _lists = Tensor.Allocate(TensorType.I32, 3L * time + 2L * entries + 1);
                _positions = (int*)_lists.Data + 3 * time + entries;
            }

            /// <summary>The next rows, in a pass of their own.</summary>
            public CachedRows Next(int row, int count)
            {
                int* near = (int*)_lists.Data, start = near + _case.Time, end = start + _case.Time, added = end + _case.Time;
                int position = _walk.Position, at = _walk.FarCount, adds = 0;
                for (int i = 0; i < count; i++)
                {
                    _walk.Step(_case._closes[position + i]);
                    (near[i], start[i], end[i]) = (_walk.NearStart, _walk.FarStart, _walk.FarEnd);
                    for (int a = 0; a < _walk.Added.Count; a++, adds++)
                    {
                        _positions[at + adds] = _walk.Added[a];
                        added[adds] = a < _walk.AddedAgain ? ~(_walk.AgainFrom + a) : _walk.Added[a];
                    }
                }

                return new CachedRows(_nearTiles, row, count, position)
                {
                    Far = _farTiles,
                    NearStart = near,
                    FarStart = start,
                    FarEnd = end,
                    FarPositions = _positions,
                    Added = added,
                    AddedCount = adds,
                    AddedAt = at,
                };
            }

            public void Dispose()
            {
                GC.KeepAlive(_near);
                GC.KeepAlive(_far);
                GC.KeepAlive(_lists);
            }

            private static (Tensor Memory, KeyValueTiles Tiles) Pages(int tiles, int pages, KeyValueShape shape, int entries)
            {
                Tensor memory = Tensor.Allocate(TensorType.U8, pages * shape.PageBytes + tiles * sizeof(long));
                new Span<byte>(memory.Data, checked((int)memory.ByteLength)).Fill(0xFF);
                byte** table = (byte**)(memory.Data + pages * shape.PageBytes);
                for (int tile = 0; tile < tiles; tile++)
                    table[tile] = memory.Data + tile % pages * shape.PageBytes;
                return (memory, new KeyValueTiles(table, shape, entries));
            }
        }
    }
}
