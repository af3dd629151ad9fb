// L blocks that run, D width
using System.Text.Json.Nodes;

namespace Skiff.Models;

/// <summary>
/// MiniCPM's three scales (arXiv 2404.06395, table 7) in any family's <c>config.json</c>: <c>scale_emb</c> on the embedding,
/// <c>scale_depth</c> / sqrt(L) on each branch, <c>dim_model_base</c> / D below the head. A model trained with them needs them for ever.
/// </summary>
internal static class ScaleKeys
{
    private const string Embedding = "scale_emb", Depth = "scale_depth", BaseWidth = "dim_model_base";
    private const string Scaled = "minicpm", Plain = "llama";

    /// <summary>Whether a file states any of them.</summary>
    public static bool AreIn(JsonObject json) => new[] { Embedding, Depth, BaseWidth }.Any(key => json[key] is not null);

    /// <summary>The scales on top of the family's own; a key that is absent changes nothing.</summary>
    public static ModelConfig Read(ConfigReader r, ModelConfig config) => config with
    {
        EmbeddingScale = config.EmbeddingScale * r.Positive(Embedding, 1),
        ResidualScale = r.Has(Depth) ? config.ResidualScale * r.Positive(Depth) / Math.Sqrt(config.NumHiddenLayers) : config.ResidualScale,
        LogitScale = r.Has(BaseWidth) ? config.LogitScale * r.Positive(BaseWidth) / config.HiddenSize : config.LogitScale,
    };

    /// <summary>The description with scales. A Llama becomes the MiniCPM that it is with them, where MiniCPM's own code can run it.</summary>
    public static ModelConfig Set(ModelConfig config, double scaleEmb, double scaleDepth, double baseWidth)
    {
        JsonObject json = (JsonObject)config.Source.DeepClone();
        if (IsMiniCpmButForScales(config))
            Rename(json, Scaled, config.TieWordEmbeddings, "mlp_bias");
        (json[Embedding], json[Depth], json[BaseWidth]) = (scaleEmb, scaleDepth, baseWidth);
        return ModelConfig.Parse(json, "config.json");
    }

    /// <summary>The description without scales, but for the family's own. A MiniCPM becomes a Llama; MiniCPM3, which is nothing else without them, gets such that change nothing.</summary>
    public static ModelConfig Remove(ModelConfig config)
    {
        JsonObject json = (JsonObject)config.Source.DeepClone();
        if (config.Family.HasOwnScales && config.ModelType != Scaled)
        {
            (json[Embedding], json[Depth], json[BaseWidth]) = (1, Math.Sqrt(config.NumHiddenLayers), config.HiddenSize);
            return ModelConfig.Parse(json, "config.json");
        }

        foreach (string key in new[] { Embedding, Depth, BaseWidth })
            json.Remove(key);
        if (config.ModelType == Scaled)
        {
            Rename(json, Plain, config.TieWordEmbeddings, "mup_denominator");
            // What MiniCPM does with its two lists of factors, a Llama does with two that are the same.
            if (config.Layers[0].Rope is { Scaling: RopeScaling.LongRope } rope && rope.ShortFactor.SequenceEqual(rope.LongFactor))
                json["rope_scaling"]!["short_factor"] = json["rope_scaling"]!["long_factor"]!.DeepClone();
        }

        return ModelConfig.Parse(json, "config.json");
    }

    // MiniCPM's published code knows no bias in its feed-forward, no width of heads but D over their number, and no newer way of stating a rotation.
    private static bool IsMiniCpmButForScales(ModelConfig config) => config.ModelType == Plain && !config.MlpBias
        && config.Layers[0].Heads * config.HeadDim == config.HiddenSize && config.Layers[0].Rope!.RotaryDim == config.HeadDim
        && config.Source["rope_scaling"] is null && config.Source["rope_parameters"] is null;

    // Both families read the same keys, but assume other things where the file is silent, and code named in the file would be the wrong one.
    private static void Rename(JsonObject json, string type, bool tied, string unknown)
    {
        json["model_type"] = type;
        json["architectures"] = new JsonArray(ModelFamily.ByType[type].Architecture);
        json["tie_word_embeddings"] = tied;
        json.Remove("auto_map");
        json.Remove(unknown);
    }
}
