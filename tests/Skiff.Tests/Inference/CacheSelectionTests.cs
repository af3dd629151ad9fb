using CsCheck;
using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

public sealed class CacheSelectionTests
{
    private static readonly CacheSelectionOptions s_defaults = new();

    [Fact]
    public void EveryPolicyKeepsWhatItsDefinitionSays() =>
        Gen.Select(Gen.OneOf(Gen.Int[1, 12], Gen.Int[1, 200]), Gen.OneOf(Gen.Int[1, 8], Gen.Int[1, 210]), Gen.Int[0, 1 << 20]).Sample((positions, budget, seed) =>
        {
            Case c = new(positions, new Random(seed));
            CacheSelectionOptions options = seed % 2 == 0 ? s_defaults : c.Options;
            foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
            {
                int[] kept = c.Choose(policy, budget, options);
                Assert.Equal(Math.Min(budget, positions), kept.Length);
                Assert.All(kept.Skip(1).Zip(kept), pair => Assert.True(pair.First > pair.Second));
                Assert.All(kept, position => Assert.InRange(position, 0, positions - 1));
                Assert.Contains(positions - 1, kept);
                Assert.Equal(ByDefinition(policy, budget, c, options), kept);
            }
        }, iter: 400);

    // Worked by hand: 12 positions, separators at 2, 5, 6 and 10.
    [Theory]
    [InlineData(SelectionPolicy.Streaming, 6, "0 1 2 3 10 11")]
    [InlineData(SelectionPolicy.Streaming, 3, "0 1 11")]
    [InlineData(SelectionPolicy.Streaming, 1, "11")]
    // Recent 2 (a quarter of 7, rounded up), 4 sinks, the newest separator that neither holds.
    [InlineData(SelectionPolicy.Separators, 7, "0 1 2 3 6 10 11")]
    // Recent 3, both separators, and one more recent position.
    [InlineData(SelectionPolicy.Separators, 10, "0 1 2 3 5 6 8 9 10 11")]
    // Recent 1, and sinks before separators.
    [InlineData(SelectionPolicy.Separators, 4, "0 1 2 11")]
    // Recent 2, and the two heaviest before: 9 and, of the equal 1 and 3, the first.
    [InlineData(SelectionPolicy.HeavyHitters, 4, "1 9 10 11")]
    [InlineData(SelectionPolicy.HeavyHitters, 5, "1 3 9 10 11")]
    [InlineData(SelectionPolicy.HeavyHitters, 1, "11")]
    // A budget below the window: half is recent. Positions beside 9 share its height, lower ones first.
    [InlineData(SelectionPolicy.SnapKv, 4, "6 7 10 11")]
    [InlineData(SelectionPolicy.KeyNorm, 6, "0 4 8 9 10 11")]
    [InlineData(SelectionPolicy.KeyNorm, 3, "0 10 11")]
    public void SmallCasesByHand(SelectionPolicy policy, int budget, string expected)
    {
        bool[] separators = new bool[12];
        foreach (int i in new[] { 2, 5, 6, 10 })
            separators[i] = true;
        SelectionScores scores = new()
        {
            Positions = 12,
            Separators = separators,
            Mass = [0, 5, 1, 5, 0, 0, 0, 0, 0, 6, 9, 9],
            KeyNorms = [1, 7, 7, 7, 2, 7, 7, 7, 3, 3, 9, 9],
        };
        Assert.Equal(expected, string.Join(' ', CacheSelection.Choose(policy, budget, scores)));
    }

    [Fact]
    public void SnapKvKeepsItsWindowAndTheNeighboursOfWhatItsWindowAsksFor()
    {
        float[] mass = new float[100];
        mass[40] = 5;
        // Beside the window, which pooling does not look into.
        mass[85] = 9;
        Assert.Equal(
            [37, 38, 39, 40, 41, 42, 43, .. Enumerable.Range(84, 16)], CacheSelection.Choose(SelectionPolicy.SnapKv, 23, new SelectionScores { Positions = 100, Mass = mass }));
    }

    [Fact]
    public void AMassOfNothingFiniteIsTheLeast()
    {
        float[] mass = [float.NaN, 1, float.NaN, float.NegativeInfinity, 2, float.NaN];
        Assert.Equal([1, 4, 5], CacheSelection.Choose(SelectionPolicy.HeavyHitters, 3, new SelectionScores { Positions = 6, Mass = mass }, new() { HeavyHittersRecentShare = 0 }));
        Assert.Equal([0, 1, 4, 5], CacheSelection.Choose(SelectionPolicy.SnapKv, 4, new SelectionScores { Positions = 6, Mass = mass }, new() { PoolingWidth = 3, ObservationWindow = 2 }));
        Assert.Equal([1, 4, 5], CacheSelection.Choose(SelectionPolicy.KeyNorm, 3, new SelectionScores { Positions = 6, KeyNorms = mass[..3].Concat<float>([3, 2, 9]).ToArray() }, new() { KeyNormRecent = 1 }));
    }

    [Fact]
    public void RowsAreCountedFromWhereThePolicySays()
    {
        Assert.Equal(0, CacheSelection.FirstCounted(SelectionPolicy.HeavyHitters, 100));
        Assert.Equal(84, CacheSelection.FirstCounted(SelectionPolicy.SnapKv, 100));
        Assert.Equal(0, CacheSelection.FirstCounted(SelectionPolicy.SnapKv, 10));
        Assert.Equal(98, CacheSelection.FirstCounted(SelectionPolicy.SnapKv, 100, new() { ObservationWindow = 2 }));
        foreach (SelectionPolicy policy in new[] { SelectionPolicy.Streaming, SelectionPolicy.Separators, SelectionPolicy.KeyNorm })
            Assert.Equal(100, CacheSelection.FirstCounted(policy, 100));
    }

    [Fact]
    public void WhatCannotBeHonouredIsRefused()
    {
        Case c = new(10, new Random(1));
        foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => c.Choose(policy, 0, s_defaults));
            // Whatever the budget: a caller's mistake does not hide behind a short prefix.
            if (policy != SelectionPolicy.Streaming)
                Assert.Throws<ArgumentException>(() => CacheSelection.Choose(policy, 100, new SelectionScores { Positions = 10 }));
        }

        Assert.Equal([0, 8, 9], CacheSelection.Choose(SelectionPolicy.Streaming, 3, new SelectionScores { Positions = 10 }, new() { Sinks = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => c.Choose((SelectionPolicy)99, 3, s_defaults));
        Assert.Throws<ArgumentOutOfRangeException>(() => CacheSelection.Choose(SelectionPolicy.Streaming, 3, new SelectionScores { Positions = -1 }));
        foreach ((string field, CacheSelectionOptions options) in new (string, CacheSelectionOptions)[]
        {
            ("sinks", new() { Sinks = -1 }), ("separators-recent-share", new() { SeparatorsRecentShare = double.NaN }), ("heavy-hitters-recent-share", new() { HeavyHittersRecentShare = 1.5 }),
            ("observation-window", new() { ObservationWindow = 0 }), ("pooling-width", new() { PoolingWidth = 4 }), ("key-norm-recent", new() { KeyNormRecent = -1 }),
        })
            Assert.Contains(field, Assert.Throws<InvalidInputException>(() => c.Choose(SelectionPolicy.Streaming, 3, options)).Message);
    }

    // Each definition once more, a position at a time: whoever is best among those left goes in next.
    private static int[] ByDefinition(SelectionPolicy policy, int budget, Case c, CacheSelectionOptions options)
    {
        int t = c.Positions, half = (budget + 1) / 2;
        SortedSet<int> kept = [];
        switch (policy)
        {
            case SelectionPolicy.Streaming:
                Recent(1);
                Sinks();
                break;
            case SelectionPolicy.Separators:
                Recent(Math.Max(1, (int)Math.Ceiling(options.SeparatorsRecentShare * budget)));
                Sinks();
                for (int i = t - 1; i >= 0 && kept.Count < budget; i--)
                {
                    if (c.Separators[i])
                        kept.Add(i);
                }

                break;
            case SelectionPolicy.HeavyHitters:
                Recent(Math.Max(1, (int)Math.Ceiling(options.HeavyHittersRecentShare * budget)));
                Best(i => c.Mass[i]);
                break;
            case SelectionPolicy.SnapKv:
                int window = budget > options.ObservationWindow ? options.ObservationWindow : half, end = Math.Max(0, t - window), reach = options.PoolingWidth / 2;
                Recent(window);
                Best(i => Enumerable.Range(i - reach, options.PoolingWidth).Where(j => j >= 0 && j < end).Max(j => c.Mass[j]));
                break;
            case SelectionPolicy.KeyNorm:
                Recent(Math.Max(1, Math.Min(half, options.KeyNormRecent)));
                Best(i => -c.KeyNorms[i]);
                break;
        }

        Recent(budget);
        return [.. kept];

        void Recent(int count)
        {
            for (int i = t - 1, added = 0; i >= 0 && added < count && kept.Count < budget; i--)
                added += kept.Add(i) ? 1 : 0;
        }

        void Sinks()
        {
            for (int i = 0; i < Math.Min(options.Sinks, t) && kept.Count < budget; i++)
                kept.Add(i);
        }

        void Best(Func<int, float> score)
        {
            while (kept.Count < Math.Min(budget, t))
            {
                int best = -1;
                for (int i = 0; i < t; i++)
                {
                    if (!kept.Contains(i) && (best < 0 || score(i) > score(best)))
                        best = i;
                }

                kept.Add(best);
            }
        }
    }

    /// <summary>Random scores, many of them equal, and options other than the defaults.</summary>
    private sealed class Case
    {
        public Case(int positions, Random random)
        {
            Positions = positions;
            double share = random.NextDouble();
            Separators = [.. Enumerable.Range(0, positions).Select(_ => random.NextDouble() < share)];
            Mass = [.. Enumerable.Range(0, positions).Select(_ => (float)random.Next(20))];
            KeyNorms = [.. Enumerable.Range(0, positions).Select(_ => (float)random.Next(20))];
            Options = new CacheSelectionOptions
            {
                Sinks = random.Next(9),
                SeparatorsRecentShare = random.Next(5) / 4.0,
                HeavyHittersRecentShare = random.Next(5) / 4.0,
                ObservationWindow = random.Next(1, 40),
                PoolingWidth = random.Next(8) * 2 + 1,
                KeyNormRecent = random.Next(9),
            };
        }

        public int Positions { get; }

        public bool[] Separators { get; }

        public float[] Mass { get; }

        public float[] KeyNorms { get; }

        public CacheSelectionOptions Options { get; }

        public int[] Choose(SelectionPolicy policy, int budget, CacheSelectionOptions options) =>
            CacheSelection.Choose(policy, budget, new SelectionScores { Positions = Positions, Separators = Separators, Mass = Mass, KeyNorms = KeyNorms }, options);
    }
}
