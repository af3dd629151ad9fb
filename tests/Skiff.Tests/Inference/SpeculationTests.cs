using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class SpeculationTests
{
    private const int Context = 256, Vocabulary = 300;

    private static readonly Tokenizer Words = ByteLevelTokenizer.Create(Vocabulary);

    private static readonly GenerationOptions Endless = new() { EndIds = [] };

    public static TheoryData<string> Families => [.. GoldenModel.Names.Where(name => !name.StartsWith("recurrent", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Families))]
    public void WhateverIsGuessedTheTextIsTheSame(string family)
    {
        Check(family, window: 0, rounds: 8);
        if (family == "llama")
            Check(family, window: 20, rounds: 24);
    }

    private static void Check(string family, int window, int rounds)
    {
        using InferenceEngine engine = Engine(family, seed: 3, window);
        Generator generator = new(engine, Words);
        Random random = new(5);
        long accepted = 0;
        int half = Math.Min(90, engine.MaxPositions / 2);
        for (int i = 0; i < rounds; i++)
        {
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, half)).Select(_ => random.Next(1, Vocabulary))];
            SamplingOptions sampling = new()
            {
                Temperature = i % 2,
                TopK = i % 3 * 5,
                RepetitionPenalty = i % 4 == 0 ? 1.3f : 1,
                FrequencyPenalty = i % 5 == 0 ? 0.4f : 0,
                Seed = (ulong)i,
            };
            GenerationOptions options = new()
            {
                MaxTokens = random.Next(1, Math.Min(60, half)),
                Stop = i % 3 == 0 ? ["a", "5%"] : [],
                EndIds = i % 4 == 1 ? [.. Enumerable.Range(0, 30).Select(e => 10 * e)] : [],
                LogProbabilities = true,
                Mask = i % 6 == 2 ? new Every(3) : null,
            };
            GeneratedToken[] expected = [.. generator.Generate(prompt, new Sampler(sampling, Vocabulary), options, stop: TestContext.Current.CancellationToken)];
            int[] whole = [.. prompt, .. expected.Select(t => t.Id)];
            using Oracle oracle = new(whole, random, wrong: i % 4 * 0.2);
            Speculation speculation = new(oracle, random.Next(1, 12));
            Assert.Equal(expected, generator.Generate(prompt, new Sampler(sampling, Vocabulary), options, speculation, TestContext.Current.CancellationToken));
            Assert.Equal(0, engine.CacheBlocks);
            accepted += speculation.Accepted;
        }

        Assert.True(accepted > 20, $"{accepted}");
    }

    [Theory]
    [InlineData("llama", 0)]
    [InlineData("llama", 8)]
    [InlineData("recurrent_gemma", 0)]
    public void ADraftOfAnyKindGivesTheSameText(string family, int window)
    {
        using InferenceEngine engine = Engine("llama", seed: 3, range: 0.6), draft = Engine(family, seed: 4, window, range: 0.6);
        Generator generator = new(engine, Words);
        using DraftModel drafter = new(draft, Words, Words);
        Speculation speculation = new(drafter, 3);
        for (int i = 0; i < 3; i++)
        {
            int[] prompt = [.. Enumerable.Range(10 * i, 40)];
            GenerationOptions options = Endless with { MaxTokens = 60 };
            Sampler New() => new(new SamplingOptions { Temperature = 0.5f, Seed = 1 }, Vocabulary);
            Assert.Equal(
                generator.Generate(prompt, New(), options, stop: TestContext.Current.CancellationToken), generator.Generate(prompt, New(), options, speculation, TestContext.Current.CancellationToken));
        }


        // A recurrent one of random weights is never sure.
        Assert.Equal(family == "llama", speculation.Drafted > 60);
    }

    [Fact]
    public void AModelGuessesItselfRight()
    {
        using InferenceEngine engine = Engine("llama", seed: 3, range: 0.6), draft = Engine("llama", seed: 3, range: 0.6);
        int[] prompt = [.. Enumerable.Range(1, 40)];
        Sampler greedy = new(new SamplingOptions { Temperature = 0 }, Vocabulary);
        Generator generator = new(engine, Words);
        GenerationOptions options = Endless with { MaxTokens = 100 };
        GeneratedToken[] expected = [.. generator.Generate(prompt, greedy, options, stop: TestContext.Current.CancellationToken)];
        Speculation speculation;
        using (DraftModel drafter = new(draft, Words, Words))
        {
            speculation = new(drafter);
            Assert.Equal(expected, generator.Generate(prompt, greedy, options, speculation, TestContext.Current.CancellationToken));
            // Another text on the same sequence.
            int[] other = [.. prompt[..20], 7, 8];
            Assert.Equal(
                generator.Generate(other, greedy, options, stop: TestContext.Current.CancellationToken), generator.Generate(other, greedy, options, speculation, TestContext.Current.CancellationToken));
        }

        Assert.True(speculation.Drafted > 50);
        Assert.Equal(speculation.Drafted, speculation.Accepted);
        Assert.Equal((0, 0), (engine.CacheBlocks, draft.CacheBlocks));
    }

    // Of pairs of tokens, drawn many times with the likeliest token guessed each time: against the model's own probabilities.
    [Fact]
    public void DrawsFollowTheModelAndABiasWouldShow()
    {
        using InferenceEngine engine = Engine("llama", seed: 3);
        Generator generator = new(engine, Words);
        int[] prompt = [5, 6, 7];
        SamplingOptions sampling = new() { Temperature = 1, TopK = 4 };
        double[] first = Probabilities([.. prompt]);
        Dictionary<(int, int), double> expected = [];
        foreach (int a in Best(first))
        {
            double[] second = Probabilities([.. prompt, a]);
            foreach (int b in Best(second))
                expected[(a, b)] = first[a] / Best(first).Sum(id => first[id]) * second[b] / Best(second).Sum(id => second[id]);
        }

        Assert.InRange(ChiSquare(biased: false), 0, 15 + 5 * Math.Sqrt(30));
        Assert.True(ChiSquare(biased: true) > 15 + 5 * Math.Sqrt(30));

        double ChiSquare(bool biased)
        {
            const int Draws = 4000;
            Dictionary<(int, int), int> counts = [];
            for (int i = 0; i < Draws; i++)
            {
                using Likeliest likeliest = new(id => Best(Probabilities([.. id]))[0]);
                Sampler own = new(sampling with { Seed = (ulong)i }, Vocabulary);
                ISampler sampler = biased ? new Believing(own, likeliest, i) : own;
                int[] ids = [.. generator.Generate(prompt, sampler, Endless with { MaxTokens = 3 }, new Speculation(likeliest, 1), TestContext.Current.CancellationToken).Select(t => t.Id)];
                counts[(ids[0], ids[1])] = counts.GetValueOrDefault((ids[0], ids[1])) + 1;
            }

            return expected.Sum(e => Math.Pow(counts.GetValueOrDefault(e.Key) - Draws * e.Value, 2) / (Draws * e.Value));
        }

        int[] Best(double[] p) => [.. Enumerable.Range(0, Vocabulary).OrderByDescending(id => p[id]).Take(4)];

        double[] Probabilities(int[] tokens)
        {
            float[] logits = EngineRun.Alone(engine, tokens, 0, () => tokens.Length)[^Vocabulary..];
            double total = logits.Sum(l => Math.Exp(l));
            return [.. logits.Select(l => Math.Exp(l) / total)];
        }
    }

    [Fact]
    public void LookupTakesWhatFollowedTheLongestRepetition()
    {
        using PromptLookup lookup = new();
        Assert.Equal([4, 5, 1, 2, 3], Draft(5, 1, 2, 3, 4, 5, 1, 2, 3));
        // The latest of equally long ones; of longer ones an earlier.
        Assert.Equal([8, 1, 2], Draft(3, 1, 2, 7, 1, 2, 8, 1, 2));
        Assert.Equal([7, 5], Draft(2, 9, 1, 2, 7, 5, 1, 2, 8, 9, 1, 2));
        Assert.Equal([3, 3, 3, 3, 3], Draft(5, 3, 3, 3, 3));
        Assert.Equal([1, 2, 1, 2, 1], Draft(5, 1, 2, 1, 2));
        Assert.Empty(Draft(5, 1, 2, 3, 4));
        Assert.Empty(Draft(5, 1));

        int[] Draft(int room, params int[] tokens)
        {
            int[] drafted = new int[room];
            return drafted[..lookup.Draft(tokens, drafted)];
        }
    }

    [Fact]
    public void WhatCannotBeGuessedForIsRefused()
    {
        using InferenceEngine recurrent = Engine("recurrent_gemma", seed: 1), engine = Engine("llama", seed: 1);
        using PromptLookup lookup = new();
        Assert.Contains("take back", Assert.Throws<InvalidInputException>(() => new Generator(recurrent, Words).Generate([1], new Sampler(new SamplingOptions(), Vocabulary), Endless, new Speculation(lookup), TestContext.Current.CancellationToken)).Message);
        Assert.Contains("299 tokens, where the model has 300", Assert.Throws<InvalidInputException>(() => new DraftModel(engine, ByteLevelTokenizer.Create(299), Words)).Message);
        Assert.Throws<InvalidInputException>(() => new Speculation(lookup, 0));
        Assert.Equal(0, engine.CacheBlocks + recurrent.CacheBlocks);
    }

    private static InferenceEngine Engine(string family, int seed, int window = 0, double range = 0)
    {
        JsonObject json = (JsonObject)GoldenModel.Read(family).ConfigJson.DeepClone();
        json["vocab_size"] = Vocabulary;
        foreach (string key in new[] { "max_position_embeddings", "n_positions" }.Where(json.ContainsKey))
            json[key] = Context;
        if (range > 0)
            json["initializer_range"] = range;
        return new InferenceEngine(RandomModel.Create(family, ModelConfig.Parse(json, family), seed, TensorType.F32), new InferenceEngineOptions { MaxRows = 24, Window = window });
    }

    /// <summary>Knows what comes, and errs now and then.</summary>
    private sealed class Oracle(int[] whole, Random random, double wrong) : IDrafter
    {
        public int Draft(ReadOnlySpan<int> tokens, Span<int> drafted)
        {
            int count = Math.Min(drafted.Length, whole.Length - tokens.Length);
            for (int i = 0; i < count; i++)
                drafted[i] = random.NextDouble() < wrong ? random.Next(-1, Vocabulary + 1) : whole[tokens.Length + i];
            return Math.Max(0, count);
        }

        public void Dispose()
        {
        }
    }

    private sealed class Likeliest(Func<int[], int> best) : IDrafter
    {
        public int Last { get; private set; } = -1;

        public int Draft(ReadOnlySpan<int> tokens, Span<int> drafted)
        {
            if (drafted.Length == 0)
                return 0;
            Last = drafted[0] = best(tokens.ToArray());
            return 1;
        }

        public void Dispose()
        {
        }
    }

    /// <summary>Takes a guess for right more often than it is.</summary>
    private sealed class Believing(Sampler own, Likeliest likeliest, int number) : ISampler
    {
        public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
        {
            int id = own.Sample(logits, history);
            return likeliest.Last >= 0 && number % 4 == 0 ? likeliest.Last : id;
        }
    }

    /// <summary>Ids that are multiples of a number.</summary>
    private sealed class Every(int step) : ITokenMask
    {
        public void Apply(ReadOnlySpan<int> generated, Span<float> logits)
        {
            for (int id = 0; id < logits.Length; id++)
            {
                if (id % step != 0)
                    logits[id] = float.NegativeInfinity;
            }
        }
    }
}
