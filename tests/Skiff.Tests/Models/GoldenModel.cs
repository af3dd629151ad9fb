using System.Text;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>
/// A tiny model of one family with the logits that the family's published code computed in double precision. Weights
/// follow a rule from their names, so that the files hold only the logits; see Goldens/decoders/README.md.
/// </summary>
internal sealed class GoldenModel
{
    private readonly JsonObject _json;

    private GoldenModel(string name, JsonObject json) => (Name, _json) = (name, json);

    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Goldens", "decoders");

    public string Name { get; }

    public JsonObject ConfigJson => (JsonObject)_json["config"]!;

    public int[] Tokens => [.. _json["tokens"]!.AsArray().Select(t => (int)t!)];

    public double[][] Logits => [.. _json["logits"]!.AsArray().Select(row => row!.AsArray().Select(v => (double)v!).ToArray())];

    /// <summary>Names and shapes as the published state dictionary has them.</summary>
    public IReadOnlyDictionary<string, long[]> Shapes => _json["tensors"]!.AsObject().ToDictionary(t => t.Key, t => t.Value!.AsArray().Select(s => (long)s!).ToArray());

    public static IEnumerable<string> Names => Directory.GetFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order();

    public static GoldenModel Read(string name) => new(name, JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name + ".json")))!.AsObject());

    public Dictionary<string, Tensor> Weights() => Shapes.ToDictionary(t => t.Key, t => Fill(t.Key, t.Value));

    public ModelConfig Config() => ModelConfig.Parse(ConfigJson, Name);

    /// <summary>The model as if read from its folder.</summary>
    public Model Open()
    {
        ModelConfig config = Config();
        ParameterStore store = ParameterStore.Of(config.Family.Tensors.Layout(config), Weights(), config.Family.Tensors, Name);
        return new Model(Name, config, n => store[n], store.TypeOf, () => null, TensorType.F32);
    }

    private Tensor Fill(string name, long[] shape)
    {
        bool vector = shape.Length == 1;
        bool norm = vector && name.EndsWith(".weight", StringComparison.Ordinal) && (name.Contains("norm") || name.Contains("ln_"));
        bool embedding = shape.Length == 2 && EmbeddingNames.Any(name.Contains);
        double scale = norm ? 0.4 : embedding ? 1.0 : (double?)_json["weight_s"] ?? 0.2;
        double center = norm ? (double)_json["norm_c"]! : 0;
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ b) * 0x100000001b3;
        Tensor tensor = Tensor.Allocate(TensorType.F32, shape);
        Span<float> values = tensor.Floats();
        for (int i = 0; i < values.Length; i++)
        {
            ulong z = hash + (ulong)i + 0x9E3779B97F4A7C15;
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
            z = (z ^ z >> 27) * 0x94D049BB133111EB;
            z ^= z >> 31;
            values[i] = (float)(((z >> 40) / 16777216.0 - 0.5) * scale + center);
        }

        return tensor;
    }

    private static readonly string[] EmbeddingNames = ["embed_tokens", "wte", "wpe", "word_embeddings", "embed_positions", "embed_in", "token_embeddings"];
}
