using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

/// <summary>The masked forward over all positions and the cache that lets go of them are one thing.</summary>
public sealed unsafe class AnchorCacheTests
{
    // Tokens that close a segment in these tests; families' vocabularies are larger.
    private const int End = 5, Stop = 7;

    private static readonly AnchorConfig s_plain = new() { EndIds = [End], StopIds = [Stop], NotAfterIds = [3], LetterIds = [4] };

    public static TheoryData<string, TensorType> Families => new()
    {
        { "llama", TensorType.F32 }, { "llama", TensorType.I16 }, { "llama", TensorType.I8 }, { "gemma2", TensorType.F32 }, { "bloom", TensorType.F32 },
        { "minicpm3", TensorType.F32 }, { "qwen_ntk_logn", TensorType.F32 }, { "gpt_neox", TensorType.F32 }, { "recurrent_gemma", TensorType.F32 }, { "mixtral", TensorType.F32 },
    };

    [Theory]
    [MemberData(nameof(Families))]
    public void MaskEqualsEviction(string name, TensorType type)
    {
        Random random = new(1);
        for (int text = 0; text < 24; text++)
        {
            AnchorConfig anchors = Options(random);
            Model model = WithAnchors(name, anchors);
            int[] tokens = Text(random, model.Config);
            using InferenceEngine engine = new(model, new InferenceEngineOptions { MaxRows = 48, CacheType = type });
            float[] evicted = EngineRun.Alone(engine, tokens, 0, () => random.Next(1, 49));
            if (type == TensorType.F32)
                Same(Masked(model, tokens), evicted, 1e-4f);
            // Whatever the chunks and the company, and whatever is rewound on the way: the same bits.
            Assert.Equal(evicted, EngineRun.Alone(engine, tokens, 0, () => 1));
            int[][] others = [tokens, Text(random, model.Config), Text(random, model.Config)];
            Assert.Equal(evicted, EngineRun.Together(engine, others, [0, 0, 0], random)[0]);
            Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("bloom")]
    public void TheTextThatFollowsIsTheSame(string name)
    {
        Random random = new(2);
        for (int text = 0; text < 20; text++)
        {
            Model model = WithAnchors(name, Options(random));
            int[] prompt = Text(random, model.Config);
            using InferenceEngine engine = new(model);
            using InferenceSequence sequence = engine.CreateSequence();
            Decoder decoder = new(model);
            DecoderState state = decoder.CreateState();
            float[] own = new float[engine.VocabularySize], expected = new float[engine.VocabularySize];
            int[] next = prompt;
            for (int i = 0; i < 24; i++)
            {
                engine.Forward([new SequenceTokens(sequence, next)], own);
                decoder.Forward(state, next, expected);
                Same(expected, own, 1e-4f);
                next = [Array.IndexOf(expected, expected.Max())];
                Assert.Equal(next[0], Array.IndexOf(own, own.Max()));
            }
        }
    }

    // What the check above is for: the same entries under positions that count what is kept.
    [Fact]
    public void PositionsThatAreRenumberedAreFoundOut()
    {
        Model model = WithAnchors("llama", s_plain);
        using InferenceEngine engine = new(model);
        int[] prompt = [8, 9, 1, End, 2, 8, 8, 9, End, 1, 1, 2, 9, 8, End], question = [8, 2, 9];
        using InferenceSequence kept = engine.CreateSequence(), renumbered = engine.CreateSequence();
        engine.Forward([new SequenceTokens(kept, prompt, WantedLogits.None)], []);
        engine.Forward([new SequenceTokens(renumbered, new[] { End, End, End }, WantedLogits.None)], []);
        for (int block = 0; block < model.Config.NumHiddenLayers; block++)
        {
            KeyValueTile from = kept.CacheOf(block).Far[0], to = renumbered.CacheOf(block).Far[0];
            Assert.Equal((3, 3), (from.Lanes, to.Lanes));
            int bytes = from.HeadBytes * model.Config.Layers[block].KeyValueHeads;
            new ReadOnlySpan<byte>(from.Key(0), bytes).CopyTo(new Span<byte>(to.Key(0), bytes));
        }

        float[] expected = Masked(model, [.. prompt, .. question])[^(3 * engine.VocabularySize)..];
        float[] right = new float[expected.Length], wrong = new float[expected.Length];
        engine.Forward([new SequenceTokens(kept, question, WantedLogits.All)], right);
        engine.Forward([new SequenceTokens(renumbered, question, WantedLogits.All)], wrong);
        Same(expected, right, 1e-4f);
        Assert.Throws<Xunit.Sdk.TrueException>(() => Same(expected, wrong, 1e-4f));
    }

    [Fact]
    public void AClosedPromptTakesItsAnchorsAlone()
    {
        Model model = WithAnchors("llama", s_plain);
        ModelConfig config = model.Config;
        using InferenceEngine engine = new(model), full = new(model, new InferenceEngineOptions { Cache = CacheKind.Full });
        int[] prompt = [.. Enumerable.Range(0, 600).Select(i => i % 120 == 119 ? End : 8)];
        using InferenceSequence sequence = engine.CreateSequence(), all = full.CreateSequence();
        foreach ((InferenceEngine each, InferenceSequence own) in new[] { (engine, sequence), (full, all) })
        {
            for (int at = 0; at < prompt.Length; at += 100)
                each.Forward([new SequenceTokens(own, prompt.AsMemory(at, 100), WantedLogits.None)], []);
        }

        // At its highest: the open segment and the pass, and a page more than they fill.
        Assert.True(sequence.ByteLength <= all.ByteLength * 5 / 10, $"{sequence.ByteLength} of {all.ByteLength}");
        sequence.Trim();
        long page = CacheMemory.BytesOf(engine.Plan.ShapeOf(config.Layers[0]), 5);
        Assert.Equal(page * config.NumHiddenLayers, sequence.ByteLength);
        Assert.Equal(5 * engine.CacheBytesPerPosition, (page - 320) * config.NumHiddenLayers);
    }

    [Fact]
    public void ALongStreamTakesConstantMemory()
    {
        Model model = WithAnchors("llama", s_plain with { LastAnchors = 20, MaxSegment = 30 });
        using InferenceEngine engine = new(model, new InferenceEngineOptions { Context = 200_000 });
        using InferenceSequence sequence = engine.CreateSequence(100_000);
        Random random = new(1);
        float[] logits = new float[engine.VocabularySize];
        long most = 0, early = 0;
        int[] token = [8];
        for (int i = 0; i < 100_000; i++)
        {
            engine.Forward([new SequenceTokens(sequence, token)], logits);
            token[0] = random.Next(20) == 0 ? End : Array.IndexOf(logits, logits.Max());
            most = Math.Max(most, sequence.ByteLength);
            if (i == 2000)
                early = most;
        }

        Assert.Equal(early, most);
        Assert.True(most <= 5 * CacheMemory.BytesOf(engine.Plan.ShapeOf(model.Config.Layers[0])) * model.Config.NumHiddenLayers, $"{most}");
    }

    [Fact]
    public void ForksAndRewindsKeepToTheBitsOfTheirTokens()
    {
        Random random = new(3);
        for (int round = 0; round < 20; round++)
        {
            Model model = WithAnchors("llama", Options(random));
            using InferenceEngine engine = new(model);
            int[] tokens = Text(random, model.Config);
            float[] whole = EngineRun.Alone(engine, tokens, 0, () => tokens.Length);
            int split = random.Next(1, tokens.Length + 1), back = random.Next(0, split + 1);
            using InferenceSequence sequence = engine.CreateSequence();
            engine.Forward([new SequenceTokens(sequence, tokens.AsMemory(0, split), WantedLogits.None)], []);
            InferenceSequence fork = sequence.Fork(back);
            // The first goes astray; the fork does not notice, nor does the first once it is cut back.
            engine.Forward([new SequenceTokens(sequence, new[] { End, 8, 9, End }, WantedLogits.None)], []);
            Go(fork, back);
            sequence.Rewind(split);
            Go(sequence, split);
            fork.Dispose();

            void Go(InferenceSequence each, int at)
            {
                if (at == tokens.Length)
                    return;
                float[] logits = new float[(tokens.Length - at) * engine.VocabularySize];
                engine.Forward([new SequenceTokens(each, tokens.AsMemory(at), WantedLogits.All)], logits);
                Assert.Equal(whole.AsSpan(at * engine.VocabularySize).ToArray(), logits);
            }
        }
    }

    [Theory]
    [InlineData("llama", TensorType.F32)]
    [InlineData("bloom", TensorType.I8)]
    [InlineData("gemma2", TensorType.I16)]
    public void ASavedAnchorCacheIsSmallAndGoesOn(string name, TensorType type)
    {
        Random random = new(4);
        using TemporaryFolder folder = new();
        for (int round = 0; round < 12; round++)
        {
            Model model = WithAnchors(name, Options(random));
            int[] tokens = Text(random, model.Config);
            using InferenceEngine engine = new(model, new InferenceEngineOptions { CacheType = type }), other = new(model, new InferenceEngineOptions { CacheType = type, MaxRows = 7 });
            float[] whole = EngineRun.Alone(engine, tokens, 0, () => tokens.Length);
            int saved = random.Next(1, tokens.Length + 1);
            string path = folder.File($"{round}"), again = folder.File($"{round}b");
            using (InferenceSequence sequence = engine.CreateSequence())
            {
                engine.Forward([new SequenceTokens(sequence, tokens.AsMemory(0, saved), WantedLogits.None)], []);
                SequenceFile.Save(sequence, tokens.AsSpan(0, saved), path);
            }

            using InferenceSequence loaded = SequenceFile.Load(other, path, out int[] ids);
            Assert.Equal(tokens[..saved], ids);
            SequenceFile.Save(loaded, ids, again);
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(again));
            for (int at = saved; at < tokens.Length; at++)
            {
                float[] logits = new float[engine.VocabularySize];
                other.Forward([new SequenceTokens(loaded, tokens.AsMemory(at, 1))], logits);
                Assert.Equal(whole.AsSpan(at * engine.VocabularySize, engine.VocabularySize).ToArray(), logits);
            }
        }
    }

    /// <summary>A golden model with a rule, and room for long texts.</summary>
    internal static Model WithAnchors(string name, AnchorConfig anchors)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = model.Config;
        if (config.Position != PositionKind.Learned)
            config = config.With(new Dictionary<string, JsonNode?> { ["max_position_embeddings"] = 1000 });
        return new Model("anchored", config with { Anchors = anchors }, model.Parameter, model.TypeOf, () => null, TensorType.F32);
    }

    // Every option, alone and with others.
    private static AnchorConfig Options(Random random) => s_plain with
    {
        AddedId = random.Next(4) == 0 ? 6 : null,
        AnchorsSeeAnchors = random.Next(2) == 0,
        AnchorsPerSegment = random.Next(2) == 0 ? 1 : random.Next(2, 5),
        MaxSegment = random.Next(3) == 0 ? random.Next(5, 40) : 0,
        LastVisible = random.Next(3) == 0 ? random.Next(1, 40) : 0,
        Sinks = random.Next(3) is var kind && kind == 0 ? random.Next(1, 9) : 0,
        SegmentsPerGroup = kind != 1 && random.Next(3) == 0 ? random.Next(2, 6) : 0,
        LastAnchors = kind == 1 ? random.Next(1, 12) : 0,
    };

    // Segments of uneven length: none, some, or one after every token; ends in front and behind.
    private static int[] Text(Random random, ModelConfig config)
    {
        double density = random.Next(6) switch { 0 => 0, 1 => 1, 2 => 0.5, _ => 0.02 + random.NextDouble() * 0.2 };
        int length = Math.Min(config.MaxPositionEmbeddings - 24, random.Next(1, 160));
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.NextDouble() < density ? random.Next(3) switch { 0 => End, 1 => Stop, _ => 6 } : random.Next(config.VocabSize))];
        if (random.Next(4) == 0)
            tokens[0] = End;
        return tokens;
    }

    private static float[] Masked(Model model, int[] tokens)
    {
        Decoder decoder = new(model);
        float[] logits = new float[tokens.Length * decoder.VocabularySize];
        decoder.Forward(decoder.CreateState(), tokens, logits);
        return logits;
    }

    private static void Same(float[] expected, float[] actual, float bound)
    {
        float scale = Math.Max(1, expected.Max(Math.Abs)), worst = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(worst <= bound * scale, $"off by {worst} of {scale}");
    }
}
