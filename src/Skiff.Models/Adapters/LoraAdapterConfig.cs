using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The <c>adapter_config.json</c> of a LoRA adapter in the form of Hugging Face's PEFT, as far as it changes the arithmetic. What is
/// neither read here nor known to be harmless is refused by name unless it is switched off.
/// </summary>
/// <param name="Rank"><c>r</c>.</param>
/// <param name="Alpha"><c>lora_alpha</c>.</param>
/// <param name="RankStabilized"><c>use_rslora</c>: the product is scaled by alpha / sqrt(r) (arXiv 2312.03732), not alpha / r.</param>
internal sealed partial record LoraAdapterConfig(int Rank, double Alpha, bool RankStabilized)
{
    /// <summary>The file's name in an adapter's folder.</summary>
    public const string FileName = "adapter_config.json";

    // How it was trained, and which modules were chosen, which the tensors show. A wrong fan_in_fan_out PEFT itself corrects by the module's kind.
    private static readonly HashSet<string> s_harmless =
    [
        "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode",
        "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout", "megatron_core", "peft_version", "qalora_group_size", "revision", "runtime_config",
        "target_modules", "task_type",
    ];

    // These begin with other numbers but leave the base as it is.
    private static readonly string[] s_beginnings = ["gaussian", "orthogonal", "eva"];

    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["alora_invocation_tokens"] = "switches the adapter on in the midst of a text: no single matrix does that",
        ["layer_replication"] = "runs blocks several times: merge it with PEFT",
        ["lora_bias"] = "trains biases beside the adapters, which are not merged: merge it with PEFT",
        ["modules_to_save"] = "names modules that were trained whole, which are not merged: merge it with PEFT",
        ["target_parameters"] = "adapts parameters that are no modules: merge it with PEFT",
        ["trainable_token_indices"] = "trains rows of the embedding, which are not merged: merge it with PEFT",
        ["use_dora"] = "DoRA also scales each row to a length of its own, which is not merged: merge it with PEFT",
    };

    /// <summary><c>rank_pattern</c>: the rank of modules by the end of their names.</summary>
    public IReadOnlyDictionary<string, double> RankPattern { get; init; } = new Dictionary<string, double>();

    /// <summary><c>alpha_pattern</c>: their alpha.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Reads the file's text.</summary>
    /// <exception cref="InvalidInputException">Names the key.</exception>
    public static LoraAdapterConfig Parse(ReadOnlySpan<byte> text, string source)
    {
        JsonObject json = ConfigReader.ParseObject(text, source);
        ConfigReader reader = new(json, source);
        if (reader.String("peft_type", "") is var type && type != "LORA")
            throw reader.Refuse("peft_type", type.Length == 0 ? "is missing" : $"'{type}' is not supported, only LORA");
        if (reader.String("bias", "none") is var bias && bias != "none")
            throw reader.Refuse("bias", $"'{bias}' trains biases, which are not merged: merge it with PEFT");
        if (json["init_lora_weights"]?.GetValueKind() == JsonValueKind.String && reader.String("init_lora_weights", "") is var form && !s_beginnings.Contains(form))
            throw reader.Refuse("init_lora_weights", $"'{form}' changes the base model's weights: convert the adapter with PEFT's path_initial_model_for_weight_conversion first");
        foreach ((string key, JsonNode? value) in json)
        {
            if (IsOff(reader, key, value) || s_harmless.Contains(key) || key is "peft_type" or "bias" or "init_lora_weights" or "r" or "lora_alpha" or "use_rslora" or "rank_pattern" or "alpha_pattern")
                continue;
            throw reader.Refuse(key, s_refused.TryGetValue(key, out string? mend) ? mend : "is not a key Skiff knows; remove it if it does not change the arithmetic");
        }

        return new LoraAdapterConfig(reader.Size("r"), reader.Positive("lora_alpha"), reader.Bool("use_rslora", false))
        {
            RankPattern = Pattern(reader, "rank_pattern"),
            AlphaPattern = Pattern(reader, "alpha_pattern"),
        };
    }

    /// <summary>The rank that a module's adapter has.</summary>
    public double RankOf(string module) => Of(RankPattern, module) ?? Rank;

    /// <summary>The factor on the product of a module's matrices.</summary>
    public double ScaleOf(string module)
    {
        double rank = RankOf(module);
        return (Of(AlphaPattern, module) ?? Alpha) / (RankStabilized ? Math.Sqrt(rank) : rank);
    }

    // The first key that is the name or its end, as PEFT looks it up.
    private static double? Of(IReadOnlyDictionary<string, double> pattern, string module)
    {
        foreach ((string end, double value) in pattern)
        {
            if (module == end || (module.Length > end.Length && module[^(end.Length + 1)] == '.' && module.EndsWith(end, StringComparison.Ordinal)))
                return value;
        }

        return null;
    }

    private static Dictionary<string, double> Pattern(ConfigReader reader, string key)
    {
        Dictionary<string, double> pattern = [];
        if (reader.Object(key) is not { } inner)
            return pattern;
        foreach (string name in inner.Json.Select(pair => pair.Key))
            pattern.Add(name, PlainName().IsMatch(name) ? inner.Positive(name) : throw inner.Refuse(name, "is a regular expression: only names of modules, or their ends, are read"));
        return pattern;
    }

    private static bool IsOff(ConfigReader reader, string key, JsonNode? value) => value?.GetValueKind() switch
    {
        null or JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => ((JsonArray)value).Count == 0,
        JsonValueKind.Object => ((JsonObject)value).Count == 0,
        JsonValueKind.String => reader.String(key, "").Length == 0,
        _ => false,
    };

    [GeneratedRegex(@"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainName();
}
