using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>The description of what a plan leaves of a model, as its family's <c>config.json</c> says it.</summary>
internal static class PrunedConfig
{
    /// <summary>Describes what is left.</summary>
    /// <exception cref="InvalidInputException">The family's file cannot say it: what would have to be the same everywhere is named.</exception>
    public static ModelConfig Of(ModelConfig config, PrunePlan plan, string source)
    {
        plan.Check(config, source);
        if (plan.Heads is not null && config.Position == PositionKind.Alibi)
            throw new InvalidInputException(source, "heads", "each has its own slope by its number among all (ALiBi): prune layers, hidden or ffn instead");
        ModelConfig wanted = Wanted(config, plan);
        string? difference = null;
        // Files say as little as they must: where a pattern no longer follows from the family's rule, the blocks are listed.
        foreach (JsonObject changes in Ways(config, wanted, plan))
        {
            ModelConfig written;
            try
            {
                written = config.With(changes.ToDictionary(pair => pair.Key, pair => pair.Value));
            }
            catch (InvalidInputException refused)
            {
                difference ??= refused.Field;
                continue;
            }

            // A scale that a family derives from a width changes with it; the weights take up the difference (PrunedModel).
            difference = ConfigDifference.Between(wanted with { EmbeddingScale = written.EmbeddingScale }, written);
            if (difference is null)
                return written;
        }

        throw new InvalidInputException(source, difference!, $"the config.json of {config.ModelType} cannot say what would be left{MendOf(difference!, config)}");
    }

    private static ModelConfig Wanted(ModelConfig config, PrunePlan plan)
    {
        int hidden = plan.Hidden?.Count ?? config.HiddenSize;
        List<int> weights = [];
        List<LayerConfig> layers = [];
        foreach (int l in plan.Layers ?? [.. Enumerable.Range(0, config.NumHiddenLayers)])
        {
            LayerConfig layer = config.Layers[l];
            if (!weights.Contains(layer.Weights))
                weights.Add(layer.Weights);
            int[]? neurons = plan.Neurons?.GetValueOrDefault((config.SharedFeedForward ? 0 : layer.Weights, config.NumLocalExperts > 0 ? 0 : -1));
            // A recurrent block has none, and states those of the others.
            LayerConfig attending = layer.Kind == LayerKind.Attention ? layer : config.Layers.FirstOrDefault(other => other.Kind == LayerKind.Attention) ?? layer;
            layers.Add(layer with
            {
                Weights = weights.IndexOf(layer.Weights),
                Heads = plan.Heads?.GetValueOrDefault(attending.Weights)?.Length ?? layer.Heads,
                KeyValueHeads = plan.KeyValueHeads(attending)?.Length ?? layer.KeyValueHeads,
                IntermediateSize = neurons?.Length ?? layer.IntermediateSize,
            });
        }

        return config with
        {
            HiddenSize = hidden,
            WordEmbedProjDim = config.WordEmbedProjDim == config.HiddenSize ? hidden : config.WordEmbedProjDim,
            Layers = layers,
            NumLocalExperts = plan.Experts?.Values.First().Length ?? config.NumLocalExperts,
        };
    }

    private static IEnumerable<JsonObject> Ways(ModelConfig config, ModelConfig wanted, PrunePlan plan)
    {
        int shared = config.Layers.Count / Math.Max(1, config.Layers.Select(layer => layer.Weights).Distinct().Count());
        LayerConfig attention = wanted.Layers.FirstOrDefault(layer => layer.Kind == LayerKind.Attention) ?? wanted.Layers[0];
        LayerConfig before = config.Layers.First(layer => layer.Kind == attention.Kind);
        bool widths = wanted.HiddenSize != config.HiddenSize || attention.Heads != before.Heads;
        JsonObject changes = new();
        if (wanted.NumHiddenLayers != config.NumHiddenLayers)
            changes["num_hidden_layers"] = wanted.NumHiddenLayers / shared;
        if (wanted.HiddenSize != config.HiddenSize)
            changes["hidden_size"] = wanted.HiddenSize;
        if (attention.Heads != before.Heads)
        {
            changes["num_attention_heads"] = attention.Heads;
            if (attention.KeyValueHeads != attention.Heads || config.Source["num_key_value_heads"] is not null)
                changes["num_key_value_heads"] = attention.KeyValueHeads;
        }

        // Some families count gate and up together, and some derive the width where it is not stated.
        int stated = config.Source[config.Family.NameIn(config.Source, "intermediate_size")] is JsonValue width ? (int)Number(width) : before.IntermediateSize;
        if (attention.IntermediateSize != before.IntermediateSize || wanted.HiddenSize != config.HiddenSize)
            changes["intermediate_size"] = (int)((long)stated * attention.IntermediateSize / before.IntermediateSize);
        if (wanted.NumLocalExperts != config.NumLocalExperts)
            changes["num_local_experts"] = wanted.NumLocalExperts;
        if (widths && wanted.Latent is { } latent)
            changes["v_head_dim"] = latent.VHeadDim;
        if (wanted.WordEmbedProjDim != config.WordEmbedProjDim && config.Source["word_embed_proj_dim"] is not null)
            changes["word_embed_proj_dim"] = wanted.WordEmbedProjDim;
        if (config.Source["dim_model_base"] is JsonValue below)
            changes["dim_model_base"] = Number(below) * wanted.HiddenSize / config.HiddenSize;
        if (config.Source["scale_depth"] is JsonValue depth)
            changes["scale_depth"] = Number(depth) * Math.Sqrt((double)wanted.NumHiddenLayers / config.NumHiddenLayers);
        foreach ((string key, JsonNode? value) in config.Source)
        {
            // A list with an entry for each block.
            if (plan.Layers is not null && value is JsonArray list && list.Count == config.NumHiddenLayers && key != "architectures")
                changes[key] = new JsonArray([.. plan.Layers.Select(l => list[l]?.DeepClone())]);
        }

        foreach (bool listed in new[] { false, true })
        {
            foreach (bool states in new[] { true, false })
            {
                JsonObject way = (JsonObject)changes.DeepClone();
                if (states && wanted.Latent is null && widths)
                    way["head_dim"] = wanted.HeadDim;
                if (listed && Listed(config, wanted) is { } pattern)
                    way[pattern.Key] = pattern.Value;
                yield return way;
            }
        }
    }

    // Whole or not, read from a text or made of a GGUF file's keys.
    private static double Number(JsonValue value) => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);

    private static KeyValuePair<string, JsonNode?>? Listed(ModelConfig config, ModelConfig wanted)
    {
        if (config.Source["attention_types"] is not null)
            return new("attention_types", new JsonArray(new JsonArray(new JsonArray([.. wanted.Layers.Select(layer => (JsonNode)(layer.SlidingWindow > 0 ? "local" : "global"))]), 1)));
        if (config.Recurrent is not null)
            return new("block_types", new JsonArray([.. wanted.Layers.Select(layer => (JsonNode)(layer.Kind == LayerKind.Recurrent ? "recurrent" : "attention"))]));
        return wanted.Layers.Any(layer => layer.SlidingWindow > 0)
            ? new("layer_types", new JsonArray([.. wanted.Layers.Select(layer => (JsonNode)(layer.SlidingWindow > 0 ? "sliding_attention" : "full_attention"))]))
            : null;
    }

    private static string MendOf(string difference, ModelConfig config) => difference is nameof(ModelConfig.HeadDim) or "num_attention_heads" or "head_dim"
        ? $": a head is hidden_size / heads there, so prune --hidden and --heads together, {config.HeadDim} channels a head"
        : "";
}
