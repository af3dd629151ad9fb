using CsCheck;
using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

public sealed class SamplerTests
{
    // Ties are wanted: quarters over a small range.
    private static readonly Gen<float[]> s_logits = Gen.Int[-20, 20].Select(i => i / 4f).Array[1, 300];

    [Fact]
    public void TemperatureZeroTakesTheFirstOfTheLargest() => s_logits.Sample(logits =>
    {
        Sampler sampler = new(new SamplingOptions { Temperature = 0, TopK = 3, TopP = 0.1f }, logits.Length);
        Assert.Equal(Array.IndexOf(logits, logits.Max()), sampler.Sample(logits, []));
    });

    [Fact]
    public void TopKKeepsExactlyTheBestK() => Gen.Select(s_logits, Gen.Int[1, 300]).Sample((logits, k) =>
        Assert.Equal(Ranked(logits).Take(k).Order(), Kept(logits, new SamplingOptions { Temperature = 1, TopK = k })));

    [Fact]
    public void TopPKeepsTheSmallestSetThatReachesIt() => Gen.Select(s_logits, Gen.Float[0, 1], Gen.Float[0.3f, 2]).Sample((logits, p, temperature) =>
    {
        double[] probabilities = Softmax(logits, temperature);
        int[] kept = Kept(logits, new SamplingOptions { Temperature = temperature, TopP = p });
        Assert.Equal(Ranked(logits).Take(kept.Length).Order(), kept);
        double sum = kept.Sum(id => probabilities[id]), least = kept.Min(id => probabilities[id]);
        // Probabilities are float32 inside: a set within rounding of the border may go either way.
        Assert.True(sum >= p - 1e-5, $"{sum} does not reach {p}");
        Assert.True(kept.Length == 1 || sum - least < p + 1e-5, $"{sum - least} already reaches {p}");
    });

    [Fact]
    public void MinPKeepsWhatIsProbableEnoughBesideTheBest() => Gen.Select(s_logits, Gen.Float[0.001f, 1]).Sample((logits, p) =>
    {
        float best = logits.Max();
        HashSet<int> kept = [.. Kept(logits, new SamplingOptions { Temperature = 1, MinP = p })];
        for (int id = 0; id < logits.Length; id++)
        {
            double ratio = Math.Exp(logits[id] - best);
            if (Math.Abs(ratio - p) > 1e-6)
                Assert.Equal(ratio > p, kept.Contains(id));
        }
    });

    [Fact]
    public void TopPCountsWithinWhatTopKLeft()
    {
        // Of 0.4, 0.3, 0.2, 0.1 the best two become 4/7 and 3/7: one of them reaches 0.5.
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.2f), MathF.Log(0.3f)];
        Assert.Equal([1], Kept(logits, new SamplingOptions { Temperature = 1, TopK = 2, TopP = 0.5f }));
        Assert.Equal([1, 3], Kept(logits, new SamplingOptions { Temperature = 1, TopP = 0.5f }));
    }

    [Theory]
    [InlineData(1f, 0, 1f, 0f)]
    [InlineData(0.7f, 0, 1f, 0f)]
    [InlineData(1.3f, 12, 1f, 0f)]
    [InlineData(1f, 0, 0.8f, 0f)]
    [InlineData(1f, 20, 0.9f, 0.05f)]
    public void DrawsFollowTheDistribution(float temperature, int topK, float topP, float minP)
    {
        SplitMix64 random = new(1);
        float[] logits = [.. Enumerable.Range(0, 40).Select(_ => (float)(random.NextDouble() * 5))];
        SamplingOptions options = new() { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = 7 };
        int[] kept = Kept(logits, options);
        double[] probabilities = Softmax(logits, temperature);
        double total = kept.Sum(id => probabilities[id]);
        const int Draws = 50_000;
        int[] counts = new int[logits.Length];
        Sampler sampler = new(options, logits.Length);
        for (int i = 0; i < Draws; i++)
            counts[sampler.Sample(logits, [])]++;
        Assert.Equal(Draws, kept.Sum(id => counts[id]));
        double chiSquare = kept.Sum(id => Math.Pow(counts[id] - Draws * probabilities[id] / total, 2) / (Draws * probabilities[id] / total));
        // Mean d and variance 2d for d degrees of freedom: five deviations are far beyond chance.
        double freedom = kept.Length - 1;
        Assert.InRange(chiSquare, 0, freedom + 5 * Math.Sqrt(2 * freedom));
    }

    [Fact]
    public void TheSeedDecidesTheDraws()
    {
        float[] logits = new float[1000];
        int[] Draw(ulong seed)
        {
            Sampler sampler = new(new SamplingOptions { Seed = seed }, logits.Length);
            return [.. Enumerable.Range(0, 20).Select(_ => sampler.Sample(logits, []))];
        }

        Assert.Equal(Draw(5), Draw(5));
        Assert.NotEqual(Draw(5), Draw(6));
        Assert.NotEqual(new Sampler(new SamplingOptions(), 2).Seed, new Sampler(new SamplingOptions(), 2).Seed);
    }

    [Fact]
    public void RepetitionPenaltyCountsATokenOnceAndOnlyInsideItsWindow()
    {
        float[] logits = [2, -1, 1.5f, 0.9f];
        int Best(int window, params int[] history) =>
            new Sampler(new SamplingOptions { Temperature = 0, RepetitionPenalty = 2, RepetitionWindow = window }, 4).Sample(logits, history);

        Assert.Equal(0, Best(0));
        Assert.Equal(2, Best(0, 0, 0, 0));
        Assert.Equal(0, Best(0, 0, 2, 3));
        Assert.Equal(0, Best(2, 0, 2, 3));
        Assert.Equal(2, Best(1, 3, 0));
        Assert.Equal([2f, -1f, 1.5f, 0.9f], logits);
    }

    [Fact]
    public void TypicalPKeepsTheLeastSurprisingSurprises() => Gen.Select(s_logits, Gen.Float[0.05f, 0.99f]).Sample((logits, p) =>
    {
        double[] probabilities = Softmax(logits, 1);
        double entropy = -probabilities.Sum(q => q > 0 ? q * Math.Log(q) : 0);
        int[] kept = Kept(logits, new SamplingOptions { Temperature = 1, TypicalP = p });
        double[] distance = [.. probabilities.Select(q => Math.Abs(-Math.Log(q) - entropy))];
        double sum = kept.Sum(id => probabilities[id]), worst = kept.Max(id => distance[id]);
        Assert.True(sum >= p - 1e-5, $"{sum} does not reach {p}");
        // Nobody nearer is left out, and without the farthest it is not enough: as far as rounding can tell.
        Assert.All(Enumerable.Range(0, logits.Length).Except(kept), id => Assert.True(distance[id] >= worst - 1e-4));
        Assert.True(kept.Length == 1 || sum - kept.Where(id => distance[id] > worst - 1e-4).Max(id => probabilities[id]) < p + 1e-5);
    });

    [Fact]
    public void FrequencyCountsPresenceDoesNotAndBiasesComeFirst()
    {
        float[] logits = [2, -1, 1.5f, 0.9f];
        int Best(SamplingOptions options, params int[] history) => new Sampler(options with { Temperature = 0 }, 4).Sample(logits, history);

        Assert.Equal(0, Best(new() { FrequencyPenalty = 0.3f }, 0));
        Assert.Equal(2, Best(new() { FrequencyPenalty = 0.3f }, 0, 0));
        Assert.Equal(0, Best(new() { PresencePenalty = 0.3f }, 0, 0, 0));
        Assert.Equal(2, Best(new() { PresencePenalty = 0.6f }, 0));
        Assert.Equal(0, Best(new() { FrequencyPenalty = 0.3f, RepetitionWindow = 1 }, 0, 0));
        Assert.Equal(1, Best(new() { LogitBias = new Dictionary<int, float> { [1] = 3.5f } }));
        Assert.Equal(2, Best(new() { LogitBias = new Dictionary<int, float> { [0] = float.NegativeInfinity } }));
        Assert.Equal("logit-bias", Assert.Throws<InvalidInputException>(() => Best(new() { LogitBias = Enumerable.Range(0, 4).ToDictionary(id => id, _ => float.NegativeInfinity) })).Field);
        // 2 + 2, then halved for having occurred, then less 0.6.
        Assert.Equal(2, Best(new() { LogitBias = new Dictionary<int, float> { [0] = 2 }, RepetitionPenalty = 2, PresencePenalty = 0.6f }, 0));
        Assert.Equal([2f, -1f, 1.5f, 0.9f], logits);
    }

    [Fact]
    public void ManyCandidatesInHostileOrderAreStillRankedRight()
    {
        float[] logits = [.. Enumerable.Range(0, 50_000).Select(i => i % 2 == 0 ? i : 50_000f - i)];
        Assert.Equal(Ranked(logits).Take(777).Order(), Kept(logits, new SamplingOptions { Temperature = 1, TopK = 777 }));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void BrokenLogitsAreRefused(float broken)
    {
        Sampler sampler = new(new SamplingOptions(), 3);
        Assert.Throws<InvalidInputException>(() => sampler.Sample([1, broken, 2], []));
        Assert.Throws<InvalidInputException>(() => sampler.Sample([float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity], []));
    }

    [Fact]
    public void OptionsOutOfRangeAreNamed()
    {
        (SamplingOptions Options, string Field)[] wrong =
        [
            (new() { Temperature = -1 }, "temperature"), (new() { Temperature = float.NaN }, "temperature"), (new() { TopK = -1 }, "top-k"),
            (new() { TopP = 1.1f }, "top-p"), (new() { MinP = -0.1f }, "min-p"), (new() { RepetitionPenalty = 0 }, "repetition-penalty"),
            (new() { RepetitionWindow = -2 }, "repetition-window"), (new() { TypicalP = 0 }, "typical-p"), (new() { FrequencyPenalty = float.NaN }, "frequency-penalty"),
            (new() { PresencePenalty = float.PositiveInfinity }, "presence-penalty"), (new() { LogitBias = new Dictionary<int, float> { [-1] = 1 } }, "logit-bias"),
            (new() { LogitBias = new Dictionary<int, float> { [2] = 1 } }, "logit-bias"), (new() { LogitBias = new Dictionary<int, float> { [1] = float.PositiveInfinity } }, "logit-bias"),
        ];
        foreach ((SamplingOptions options, string field) in wrong)
            Assert.Equal(field, Assert.Throws<InvalidInputException>(() => new Sampler(options, 2)).Field);
    }

    [Fact]
    public void SplitMixGivesThePublishedNumbers()
    {
        // The first outputs for seed 1234567, from the algorithm's reference program.
        SplitMix64 random = new(1234567);
        ulong[] expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        Assert.All(expected, number => Assert.Equal(number, random.Next()));
    }

    private static int[] Kept(float[] logits, SamplingOptions options) =>
        [.. new Sampler(options, logits.Length).Kept(logits, []).ToArray().Order()];

    private static IEnumerable<int> Ranked(float[] logits) =>
        Enumerable.Range(0, logits.Length).OrderByDescending(id => logits[id]).ThenBy(id => id);

    private static double[] Softmax(float[] logits, float temperature)
    {
        double largest = logits.Max();
        double[] weights = [.. logits.Select(l => Math.Exp((l - largest) / temperature))];
        double sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }
}
