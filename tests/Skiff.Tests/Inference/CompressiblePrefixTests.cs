using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

/// <summary>Prefixes that are made smaller without training.</summary>
public sealed unsafe class CompressiblePrefixTests
{
    public static TheoryData<string> Families => ["llama", "qwen3", "minicpm3", "phi", "mixtral", "gpt2"];

    [Theory]
    [MemberData(nameof(Families))]
    public void ABudgetOfAllIsTheWholePrefix(string name)
    {
        using InferenceEngine engine = new(GoldenModel.Read(name).Open(), new InferenceEngineOptions { MaxRows = 8 });
        (int[] prefix, int[] question) = Tokens(engine);
        using CompressiblePrefix compressible = new(engine, prefix, new bool[prefix.Length]);
        using InferenceSequence whole = compressible.Whole();
        float[] expected = Ask(engine, whole, question);
        foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
        {
            using InferenceSequence kept = compressible.Keep(policy, prefix.Length + 3);
            float[] actual = Ask(engine, kept, question);
            float scale = Math.Max(1, expected.Max(Math.Abs));
            Assert.True(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() <= 1e-5 * scale);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void WhatStaysAreTheEntriesThatThePolicyChose(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        using InferenceEngine engine = new(model);
        (int[] prefix, int[] question) = Tokens(engine);
        const int budget = 7;
        using CompressiblePrefix compressible = new(engine, prefix, new bool[prefix.Length]);
        using InferenceSequence whole = compressible.Whole(), kept = compressible.Keep(SelectionPolicy.Streaming, budget);
        int[] chosen = CacheSelection.Choose(SelectionPolicy.Streaming, budget, new SelectionScores { Positions = prefix.Length });
        for (int block = 0; block < model.Config.NumHiddenLayers; block++)
        {
            KeyValueShape shape = engine.Plan.ShapeOf(model.Config.Layers[block]);
            KeyValueTile near = whole.CacheOf(block).Near[0], far = kept.CacheOf(block).Far[0];
            for (int head = 0; head < shape.Heads; head++)
            {
                for (int i = 0; i < budget; i++)
                {
                    Assert.Equal(((float*)near.Key(head))[chosen[i]], ((float*)far.Key(head))[i]);
                    Assert.Equal(((float*)near.Value(head))[chosen[i] * shape.ValueDim], ((float*)far.Value(head))[i * shape.ValueDim]);
                }
            }
        }

        Assert.True(kept.ByteLength < whole.ByteLength / 2);
        float[] logits = Ask(engine, kept, question);
        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        using InferenceSequence again = compressible.Keep(SelectionPolicy.Streaming, budget), fork = again.Fork();
        // In any chunks, and from a fork, the same bits.
        List<float> pieces = [];
        foreach (int token in question)
            pieces.AddRange(Ask(engine, fork, [token]));
        Assert.Equal(logits, pieces);
        Assert.Equal(logits, Ask(engine, again, question));
        using TemporaryFolder folder = new();
        Assert.Throws<ArgumentException>(() => SequenceFile.Save(kept, [.. prefix, .. question], folder.File("a")));
    }

    [Fact]
    public void ScoresComeFromEveryRowInAnyPieces()
    {
        Model model = GoldenModel.Read("llama").Open();
        using InferenceEngine small = new(model, new InferenceEngineOptions { MaxRows = 3 }), large = new(model);
        (int[] prefix, int[] question) = Tokens(large);
        bool[] separators = [.. prefix.Select(id => id % 5 == 0)];
        using CompressiblePrefix pieces = new(small, prefix, separators), whole = new(large, prefix, separators);
        foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
        {
            using InferenceSequence a = pieces.Keep(policy, 9), b = whole.Keep(policy, 9);
            Assert.Equal(Ask(small, a, question[..3]), Ask(large, b, question[..3]));
        }
    }

    [Fact]
    public void EnginesThatHideRoundOrBiasAreRefused()
    {
        Assert.Contains("without linear biases", Refusal("bloom", new()));
        Assert.Contains("attend to everything", Refusal("gemma2", new()));
        Assert.Contains("attend to everything", Refusal("llama", new() { Window = 4 }));
        Assert.Contains("in f32, not i8", Refusal("llama", new() { CacheType = TensorType.I8 }));

        static string Refusal(string name, InferenceEngineOptions options)
        {
            using InferenceEngine engine = new(GoldenModel.Read(name).Open(), options);
            string message = Assert.Throws<InvalidInputException>(() => new CompressiblePrefix(engine, [1, 2, 3], new bool[3])).Message;
            Assert.Equal(0, engine.CacheBlocks);
            return message;
        }
    }

    private static (int[] Prefix, int[] Question) Tokens(InferenceEngine engine)
    {
        Random random = new(1);
        int[] all = [.. Enumerable.Range(0, Math.Min(28, engine.MaxPositions)).Select(_ => random.Next(engine.VocabularySize))];
        return (all[..^5], all[^5..]);
    }

    private static float[] Ask(InferenceEngine engine, InferenceSequence sequence, int[] question)
    {
        float[] logits = new float[question.Length * engine.VocabularySize];
        engine.Forward([new SequenceTokens(sequence, question, WantedLogits.All)], logits);
        return logits;
    }
}
