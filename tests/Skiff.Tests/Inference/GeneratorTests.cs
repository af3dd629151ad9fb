using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class GeneratorTests : IDisposable
{
    private const int Vocabulary = 300;

    private static readonly Tokenizer Words = ByteLevelTokenizer.Create(Vocabulary);

    private readonly InferenceEngine _engine;
    private readonly Generator _generator;

    public GeneratorTests()
    {
        JsonObject json = (JsonObject)GoldenModel.Read("llama").ConfigJson.DeepClone();
        (json["vocab_size"], json["max_position_embeddings"]) = (Vocabulary, 256);
        _engine = new InferenceEngine(RandomModel.Create("llama", ModelConfig.Parse(json, "llama"), 3, TensorType.F32), new InferenceEngineOptions { MaxRows = 24 });
        _generator = new Generator(_engine, Words);
    }

    public void Dispose() => _engine.Dispose();

    [Fact]
    public async Task ProbabilitiesOfPromptAndAnswerAreThoseOfTheLogits()
    {
        int[] prompt = [.. Enumerable.Range(0, 60).Select(i => 7 * i % Vocabulary)];
        List<GeneratedToken> told = [];
        GenerationOptions options = new() { MaxTokens = 12, EndIds = [], LikeliestTokens = 5, PromptToken = told.Add };
        GeneratedToken[] drawn = [.. _generator.Generate(prompt, New(), options, stop: TestContext.Current.CancellationToken)];
        int[] whole = [.. prompt, .. drawn.Select(t => t.Id)];
        GeneratedToken[] all = [.. told, .. drawn];
        Assert.Equal(whole[1..], all.Select(t => t.Id));
        Assert.Equal(Words.Decode(prompt)[Words.Decode(prompt.AsSpan(0, 1)).Length..], string.Concat(told.Select(t => t.Text)));
        float[] logits = EngineRun.Alone(_engine, whole, 0, () => 24);
        for (int i = 1; i < whole.Length; i++)
        {
            double[] row = [.. logits.Skip((i - 1) * Vocabulary).Take(Vocabulary).Select(l => (double)l)];
            double total = Math.Log(row.Sum(Math.Exp));
            Assert.Equal(row[whole[i]] - total, all[i - 1].LogProbability!.Value, 1e-5);
            int[] best = [.. Enumerable.Range(0, Vocabulary).OrderByDescending(id => row[id]).ThenBy(id => id).Take(5)];
            Assert.Equal(best, all[i - 1].Likeliest!.Select(t => t.Id));
            Assert.All(all[i - 1].Likeliest!, t => Assert.Equal(row[t.Id] - total, t.LogProbability, 1e-5));
        }

        // A scheduler tells the same, even where it keeps a sequence that begins so.
        List<GeneratedToken> scheduled = [];
        using Scheduler scheduler = new(_engine, Words, new SchedulerOptions { KeptSequences = 2, PromptChunk = 7 });
        for (int turn = 0; turn < 2; turn++)
        {
            scheduled.Clear();
            await foreach (GeneratedToken token in scheduler.Submit(prompt, New(), options with { PromptToken = scheduled.Add }, stop: TestContext.Current.CancellationToken))
                scheduled.Add(token);
            Assert.Equal(all.Select(t => (t.Id, t.Text, t.LogProbability, t.Finish)), scheduled.Select(t => (t.Id, t.Text, t.LogProbability, t.Finish)));
        }
    }

    [Fact]
    public async Task AMaskSeesTheAnswerAndItsTokensAloneCome()
    {
        // The answers 1 2 and 1 3, then nothing: no token may follow.
        Answers mask = new([1, 2], [1, 3]);
        GenerationOptions options = new() { MaxTokens = 2, EndIds = [], Mask = mask, LogProbabilities = true };
        GeneratedToken[] drawn = [.. _generator.Generate([40, 1, 2], New(), options, stop: TestContext.Current.CancellationToken)];
        Assert.Equal(1, drawn[0].Id);
        Assert.Contains(drawn[1].Id, new[] { 2, 3 });
        // Of the model, not of what the mask leaves.
        Assert.True(drawn[0].LogProbability < -1);
        InvalidInputException error = Assert.Throws<InvalidInputException>(() => _generator.Generate([40], New(), options with { MaxTokens = 3 }, stop: TestContext.Current.CancellationToken).Count());
        Assert.Contains("lets no token pass after 2", error.Message);
        using Scheduler scheduler = new(_engine, Words);
        List<GeneratedToken> scheduled = [];
        await foreach (GeneratedToken token in scheduler.Submit([40, 1, 2], New(), options, stop: TestContext.Current.CancellationToken))
            scheduled.Add(token);
        Assert.Equal(drawn, scheduled);
    }

    // Tokens are bytes here: characters of several bytes and stop strings lie across their borders.
    [Fact]
    public void TextIsWholeCharactersUpToTheFirstStopString()
    {
        Random random = new(3);
        string[] letters = ["a", "b", "é", "日", "🙂", " "];
        for (int i = 0; i < 300; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => letters[random.Next(6)]));
            string[] stops = [.. Enumerable.Range(0, random.Next(3)).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => letters[random.Next(6)])))];
            int[] ids = Words.Encode(text, addSpecial: false);
            GenerationOptions options = new() { MaxTokens = ids.Length, EndIds = [], Stop = stops };
            GeneratedToken[] drawn = [.. _generator.Generate([65], new Script(ids), options, stop: TestContext.Current.CancellationToken)];
            // The one that ends first, of those the longest.
            var found = stops.Select(s => (Start: text.IndexOf(s, StringComparison.Ordinal), s.Length)).Where(s => s.Start >= 0)
                .OrderBy(s => s.Start + s.Length).ThenBy(s => s.Start).ToArray();
            Assert.Equal(found.Length > 0 ? text[..found[0].Start] : text, string.Concat(drawn.Select(t => t.Text)));
            Assert.Equal(found.Length > 0 ? FinishReason.StopString : FinishReason.Length, drawn[^1].Finish);
            Assert.All(drawn, t => Assert.DoesNotContain('\uFFFD', t.Text));
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("recurrent_gemma")]
    public void APromptsFileGivesTheSameTextAndIsRenewedWhereItDoesNotSuffice(string family)
    {
        using TemporaryFolder folder = new();
        JsonObject json = (JsonObject)GoldenModel.Read(family).ConfigJson.DeepClone();
        (json["vocab_size"], json["max_position_embeddings"]) = (Vocabulary, 256);
        using InferenceEngine engine = new(RandomModel.Create(family, ModelConfig.Parse(json, family), 3, TensorType.F32), new InferenceEngineOptions { MaxRows = 24 });
        Generator generator = new(engine, Words);
        string path = folder.File("prompt.cache");
        int[] prompt = [.. Enumerable.Range(0, 100).Select(i => 7 * i % Vocabulary)], other = [.. prompt[..80], 1, 2, 3];
        foreach ((int[] ids, bool isRenewed) in new[] { (prompt, true), (prompt, false), ([.. prompt, 5], true), (other, true), (other, false), ([9], false) })
        {
            DateTime before = File.Exists(path) ? File.GetLastWriteTimeUtc(path) : default;
            GenerationOptions options = new() { MaxTokens = 10, EndIds = [] };
            GeneratedToken[] expected = [.. generator.Generate(ids, New(), options, stop: TestContext.Current.CancellationToken)];
            Assert.Equal(expected, generator.Generate(ids, New(), options with { PromptCache = path }, stop: TestContext.Current.CancellationToken));
            Assert.Equal(isRenewed, before != File.GetLastWriteTimeUtc(path));
        }

        File.WriteAllText(path, "something else");
        Assert.Throws<InvalidInputException>(() => generator.Generate(prompt, New(), new GenerationOptions { PromptCache = path }, stop: TestContext.Current.CancellationToken).First());
        Assert.Equal("something else", File.ReadAllText(path));
        Assert.Equal(0, engine.CacheBlocks);
    }

    private static Sampler New() => new(new SamplingOptions { Temperature = 1, Seed = 3 }, Vocabulary);

    private sealed class Script(int[] ids) : ISampler
    {
        private int _at;

        public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history) => ids[_at++];
    }

    private sealed class Answers(params int[][] answers) : ITokenMask
    {
        public void Apply(ReadOnlySpan<int> generated, Span<float> logits)
        {
            int[] so = generated.ToArray();
            HashSet<int> may = [.. answers.Where(a => a.Length > so.Length && a.AsSpan(0, so.Length).SequenceEqual(so)).Select(a => a[so.Length])];
            for (int id = 0; id < logits.Length; id++)
            {
                if (!may.Contains(id))
                    logits[id] = float.NegativeInfinity;
            }
        }
    }
}
