using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

/// <summary>Greedy generation against the tokens that llama.cpp gave; bench/peers/parity.mjs made Goldens/llama-cpp/tokens.json.</summary>
public sealed class LlamaCppTests : IDisposable
{
    private static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "Goldens", "llama-cpp");
    private static readonly JsonNode s_models = JsonNode.Parse(File.ReadAllText(Path.Combine(s_folder, "models.json")))!;
    private static readonly JsonNode s_tokens = JsonNode.Parse(File.ReadAllText(Path.Combine(s_folder, "tokens.json")))!;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Names => [.. s_models["models"]!.AsArray().Select(m => (string)m!["name"]!)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void GreedyGenerationIsLlamaCpps(string name)
    {
        JsonNode entry = s_models["models"]!.AsArray().Single(m => (string)m!["name"]! == name)!;
        ModelConfig config = ModelConfig.Parse(entry["config"]!.AsObject(), name);
        // Through the same kind of file.
        string file = _folder.File(name + ".gguf");
        Model model = RandomModel.Create(name, config, (int)entry["seed"]!, TensorType.F32);
        if (entry["prune"] is { } prune)
        {
            PruneShape shape = new() { LayerCount = (int?)prune["layers"], Hidden = (int?)prune["hidden"], Intermediate = (int?)prune["ffn"], Heads = (int?)prune["heads"], RandomSeed = (int?)prune["random"] };
            model = PrunedModel.Of(model, shape.Rank(config, null, name));
        }

        ModelWriter.Write(model, file);
        using InferenceEngine engine = new(Model.Open(file));
        int[][] prompts = [.. s_models["prompts"]!.AsArray().Select(Ids)], expected = [.. s_tokens[name]!.AsArray().Select(Ids)];
        Assert.Equal(prompts.Length, expected.Length);
        foreach ((int[] prompt, int[] tokens) in prompts.Zip(expected))
        {
            Assert.Equal(64, tokens.Length);
            Assert.Equal(tokens, Greedy(engine, prompt, tokens.Length));
        }
    }

    private static int[] Greedy(InferenceEngine engine, int[] prompt, int count)
    {
        using InferenceSequence sequence = engine.CreateSequence(prompt.Length + count);
        float[] logits = new float[engine.VocabularySize];
        engine.Forward([new SequenceTokens(sequence, prompt)], logits);
        List<int> tokens = [TensorPrimitives.IndexOfMax(logits)];
        while (tokens.Count < count)
        {
            engine.Forward([new SequenceTokens(sequence, new[] { tokens[^1] })], logits);
            tokens.Add(TensorPrimitives.IndexOfMax(logits));
        }

        return [.. tokens];
    }

    private static int[] Ids(JsonNode? array) => [.. array!.AsArray().Select(id => (int)id!)];
}
