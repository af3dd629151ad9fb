namespace Skiff.Models;

/// <summary>How llama.cpp names, groups and orders tensors in GGUF files.</summary>
internal static class GgufLayout
{
    private static readonly string[] FeedForward = ["gate", "up", "down"];

    private static readonly Dictionary<string, string> Modules = new()
    {
        ["embedding"] = "token_embd",
        ["position_embedding"] = "position_embd",
        ["embedding_norm"] = "token_embd_norm",
        ["embedding_projection"] = "token_embd_projection",
        ["output_projection"] = "output_projection",
        ["final_norm"] = "output_norm",
        ["head"] = "output",
        ["attention_norm"] = "attn_norm",
        ["post_attention_norm"] = "post_attention_norm",
        ["feed_forward_norm"] = "ffn_norm",
        ["post_feed_forward_norm"] = "post_ffw_norm",
        ["query"] = "attn_q",
        ["key"] = "attn_k",
        ["value"] = "attn_v",
        ["output"] = "attn_output",
        ["query_norm"] = "attn_q_norm",
        ["key_norm"] = "attn_k_norm",
        ["query_a"] = "attn_q_a",
        ["query_a_norm"] = "attn_q_a_norm",
        ["query_b"] = "attn_q_b",
        ["key_value_a"] = "attn_kv_a_mqa",
        ["key_value_a_norm"] = "attn_kv_a_norm",
        ["key_value_b"] = "attn_kv_b",
        ["gate"] = "ffn_gate",
        ["up"] = "ffn_up",
        ["down"] = "ffn_down",
        ["router"] = "ffn_gate_inp",
        ["experts.gate"] = "ffn_gate_exps",
        ["experts.up"] = "ffn_up_exps",
        ["experts.down"] = "ffn_down_exps",
        ["recurrent_x"] = "recurrent_x",
        ["recurrent_y"] = "recurrent_y",
        ["recurrent_out"] = "recurrent_out",
        ["convolution"] = "recurrent_conv1d",
        ["recurrence"] = "rg_lru",
    };

    private static readonly Dictionary<string, string> SingleExperts = new(Modules)
    {
        ["experts.gate"] = "ffn_gate.{i}",
        ["experts.up"] = "ffn_up.{i}",
        ["experts.down"] = "ffn_down.{i}",
    };

    /// <summary>Names for reading: which tensors of a file are expected to be no parameters.</summary>
    public static TensorNames Names { get; } = new()
    {
        LayerPrefix = "blk.{l}.",
        Modules = Modules,
        NotParameters = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"],
    };

    /// <summary>The layout of a model; blocks that share weights are stored once for each run, as GGUF knows no sharing.</summary>
    /// <param name="config">The model.</param>
    /// <param name="has">
    /// Whether the file to be read has a tensor: converters differ in whether they join query, key and value, and old ones
    /// stored each expert by itself. Without it, the layout that is written.
    /// </param>
    public static TensorLayout Of(ModelConfig config, Func<string, bool>? has = null)
    {
        ModelConfig flat = config with { Layers = [.. config.Layers.Select((layer, l) => layer with { Weights = l })], SharedFeedForward = false };
        GgufFamily family = config.Family.Gguf;
        TensorNames names = Names with { Fused = family.Fused };
        if (has is not null)
        {
            names = names with { Fused = [.. family.Fused.Where(f => f != GgufFamily.AttentionQkv), .. has("blk.0.attn_qkv.weight") ? [GgufFamily.AttentionQkv] : Array.Empty<FusedModules>()] };
            if (has("blk.0.ffn_down.0.weight"))
                names = names with { Modules = SingleExperts };
        }

        return new TensorLayout([.. Stack(names.Layout(flat).Tensors).Select(t => Finish(t, config, family))]);
    }

    // Experts, and norms of single heads, are stacked in one tensor.
    private static IEnumerable<StoredTensor> Stack(IReadOnlyList<StoredTensor> tensors)
    {
        foreach (IGrouping<string, StoredTensor> group in tensors.GroupBy(t => t.Name))
        {
            StoredTensor first = group.First();
            yield return first.Parts[0].Parameter.Index < 0
                ? first
                : new StoredTensor(first.Name, [group.Count(), .. first.Shape], [.. group.SelectMany(t => t.Parts)]);
        }
    }

    private static StoredTensor Finish(StoredTensor tensor, ModelConfig config, GgufFamily family)
    {
        Parameter first = tensor.Parts[0].Parameter;
        bool gain = first.Module.EndsWith("_norm", StringComparison.Ordinal) && first.Kind == "weight";
        StoredPart[] parts = [.. tensor.Parts.Select(part => new StoredPart(
            Original(part.Parameter, config),
            family.AdjacentPairs && (part.Parameter.Module is "query" or "key") ? RowOrder.AdjacentPairs : RowOrder.Natural))];
        return new StoredTensor(tensor.Name, tensor.Shape, parts)
        {
            Shift = gain && family.KnownToLlamaCpp ? config.Norm.GainOffset : 0,
            HeadDim = config.HeadDim,
        };
    }

    private static Parameter Original(Parameter p, ModelConfig config) => p.Layer < 0
        ? p
        : new Parameter(p.Module, p.Kind, config.SharedFeedForward && FeedForward.Contains(p.Module) ? 0 : config.Layers[p.Layer].Weights, p.Index, p.Shape);
}
