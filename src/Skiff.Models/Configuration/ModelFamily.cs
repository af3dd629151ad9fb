using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// One line of the table of families: what <c>config.json</c> and the weight files of a <c>model_type</c> look like.
/// A new family is a new entry in <c>Families/</c>, nothing else.
/// </summary>
internal sealed record ModelFamily
{
    /// <summary>The value of <c>model_type</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Standard key to this family's key, where they differ (<c>hidden_size</c> to <c>n_embd</c>).</summary>
    public IReadOnlyDictionary<string, string> KeyNames { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Standard key to further names that published files of this family use for it.</summary>
    public IReadOnlyDictionary<string, string[]> OtherNames { get; init; } = FrozenDictionary<string, string[]>.Empty;

    /// <summary>Keys of this family that do not change the forward pass, beyond <see cref="HarmlessKeys"/>.</summary>
    public IReadOnlySet<string> Harmless { get; init; } = FrozenSet<string>.Empty;

    /// <summary>Switches of this family that are accepted at one value only, as JSON text, beyond <see cref="HarmlessKeys"/>.</summary>
    public IReadOnlyDictionary<string, string> AtOneValue { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>From keys to arithmetic.</summary>
    public required Func<ConfigReader, ModelConfig> Describe { get; init; }

    /// <summary>Names in safetensors files, as Hugging Face publishes them.</summary>
    public required TensorNames Tensors { get; init; }

    /// <summary>The class that Hugging Face's <c>architectures</c> names.</summary>
    public required string Architecture { get; init; }

    /// <summary>The standard key of the norms' epsilon, or null where the family has none.</summary>
    public string? NormKey { get; init; } = "rms_norm_eps";

    /// <summary>Positions enter by rotation.</summary>
    public bool Rotary { get; init; } = true;

    /// <summary>The width of a head is stated even where it is hidden_size over heads, because the family's default is another.</summary>
    public bool StatesHeadDim { get; init; }

    /// <summary>The number of key and value heads is stated even where it is that of the queries, because the family's default is another.</summary>
    public bool StatesKeyValueHeads { get; init; }

    /// <summary>The rotated share is stated even where it is all, because the family's default is another.</summary>
    public bool StatesRotaryShare { get; init; }

    /// <summary>The family reads the keys of <see cref="ScaleKeys"/> itself, with defaults of its own.</summary>
    public bool HasOwnScales { get; init; }

    /// <summary>How the family appears in GGUF.</summary>
    public required GgufFamily Gguf { get; init; }

    /// <summary>All families by <c>model_type</c>.</summary>
    public static FrozenDictionary<string, ModelFamily> ByType { get; } =
        ((IEnumerable<ModelFamily>)[.. LlamaFamilies.All, .. GemmaFamilies.All, .. GptFamilies.All, .. PhiFamilies.All, .. OtherFamilies.All])
        .ToFrozenDictionary(f => f.ModelType);

    /// <summary>This family's name of a standard key.</summary>
    public string NameOf(string key) => KeyNames.TryGetValue(key, out string? name) ? name : key;

    /// <summary>All names of a standard key in this family's files, the usual one first.</summary>
    public IEnumerable<string> NamesOf(string key) => OtherNames.TryGetValue(key, out string[]? others) ? others.Prepend(NameOf(key)) : [NameOf(key)];

    /// <summary>The name under which a file states a standard key, or would.</summary>
    public string NameIn(JsonObject json, string key) => NamesOf(key).FirstOrDefault(name => json[name] is not null) ?? NameOf(key);

    /// <summary>The family a file names: in <c>model_type</c>, or (as the first MiniCPM files) only in <c>architectures</c>.</summary>
    /// <exception cref="InvalidInputException">Unknown, with the known ones listed.</exception>
    public static ModelFamily Of(ConfigReader reader)
    {
        string type = reader.String("model_type", "");
        if (type.Length == 0 && reader.Strings("architectures") is [string architecture, ..])
            type = ByType.Values.FirstOrDefault(f => f.Architecture == architecture)?.ModelType ?? "";
        if (ByType.TryGetValue(type, out ModelFamily? family))
            return family;
        // A wrapper around several models is better told what it is than that its name is unknown.
        if (HarmlessKeys.Refused.FirstOrDefault(r => reader.Has(r.Key)) is { Key: { } key, Value: { } mend })
            throw reader.Refuse(key, mend);
        throw reader.Refuse("model_type", type.Length == 0 ? "is missing" : $"'{type}' is not known; Skiff knows {string.Join(", ", ByType.Keys.Order())}");
    }
}

/// <summary>How a family appears in GGUF files, by llama.cpp's conventions.</summary>
/// <param name="Architecture">The value of <c>general.architecture</c>.</param>
internal sealed record GgufFamily(string Architecture)
{
    /// <summary>Queries and keys are stored with rotary pairs side by side.</summary>
    public bool AdjacentPairs { get; init; }

    /// <summary>Modules that share a tensor.</summary>
    public IReadOnlyList<FusedModules> Fused { get; init; } = [];

    /// <summary>The stored feed-forward width counts gate and up together (Qwen 1).</summary>
    public int FeedForwardFactor { get; init; } = 1;

    /// <summary>llama.cpp has this architecture; else only Skiff reads the file, which then carries its config.json.</summary>
    public bool KnownToLlamaCpp { get; init; } = true;

    /// <summary>The query, key and value of a block as one tensor.</summary>
    public static readonly FusedModules AttentionQkv = new("attn_qkv", ["query", "key", "value"]);
}
