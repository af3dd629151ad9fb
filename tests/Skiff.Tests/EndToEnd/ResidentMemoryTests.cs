using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.EndToEnd;

public sealed class ResidentMemoryTests : IDisposable
{
    // What a process takes beside weights and caches, as docs/architecture.md states it: .NET with its code, tokenizer, scratch of passes of 512 rows,
    // and the stretch of the file being packed.
    private const long Constant = 112L << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.Q8_0)]
    public async Task AtMostWeightsAndCacheAndAConstantAreHeldEvenWhileLoading(TensorType type)
    {
        ModelConfig config = ModelConfig.Parse((JsonObject)JsonNode.Parse("""
            {"model_type": "llama", "vocab_size": 32000, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 6, "num_attention_heads": 8,
             "num_key_value_heads": 8, "max_position_embeddings": 2048, "tie_word_embeddings": true}
            """)!, "wide");
        string file = _folder.File("wide.gguf"), output = _folder.File("out.json");
        ModelWriter.Write(RandomModel.Create("wide", config, seed: 1, type), file, type);
        (int code, string error) = await SkiffProcess.Bash(
            $"dotnet '{SkiffProcess.Assembly}' generate '{file}' --prompt '{new string('a', 600)}' --max-tokens 4 --temperature 0 --json > '{output}'");
        Assert.True(code == 0, error);
        using JsonDocument json = JsonDocument.Parse(await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken));
        long weights = new FileInfo(file).Length, positions = (json.RootElement.GetProperty("prompt_tokens").GetInt64() + 4 + 63) / 64 * 64;
        // A model in f32 keeps keys and values so, others in 16 bits and a scale a head.
        long head = type == TensorType.F32 ? config.HeadDim * sizeof(float) : config.HeadDim * sizeof(short) + sizeof(float);
        long cache = 2 * config.Layers.Sum(layer => (long)layer.KeyValueHeads) * head * positions;
        long peak = json.RootElement.GetProperty("peak_rss_bytes").GetInt64();
        TestContext.Current.SendDiagnosticMessage($"weights {weights >> 20} MiB, cache {cache >> 20} MiB, peak {peak >> 20} MiB");
        Assert.InRange(peak, weights, (long)(1.05 * (weights + cache)) + Constant);
        Assert.True(json.RootElement.GetProperty("first_token_seconds").GetDouble() > json.RootElement.GetProperty("load_seconds").GetDouble());
    }
}
