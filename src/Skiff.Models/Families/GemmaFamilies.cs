using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Gemma: norms with gain 1 + w, embeddings scaled by sqrt(D), tied heads; and RecurrentGemma.</summary>
internal static class GemmaFamilies
{
    private static readonly (string, string)[] FourNorms =
    [
        ("post_attention_norm", "post_attention_layernorm"), ("feed_forward_norm", "pre_feedforward_layernorm"),
        ("post_feed_forward_norm", "post_feedforward_layernorm"),
    ];

    private static FamilyDefaults GemmaDefaults { get; } = new() { HeadDim = 256, MaxPositions = 8192, KeyValueHeads = 4, Tied = true };

    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new()
        {
            ModelType = "gemma",
            Architecture = "GemmaForCausalLM",
            Describe = r => Base(r, GemmaDefaults with { KeyValueHeads = 16 }),
            Tensors = LlamaFamilies.Names,
            StatesHeadDim = true,
            StatesKeyValueHeads = true,
            Gguf = new("gemma"),
        },
        new()
        {
            ModelType = "gemma2",
            Architecture = "Gemma2ForCausalLM",
            Describe = DescribeGemma2,
            OtherNames = new Dictionary<string, string[]> { ["sliding_window"] = ["sliding_window_size"] },
            Tensors = LlamaFamilies.Named(FourNorms),
            StatesHeadDim = true,
            StatesKeyValueHeads = true,
            Gguf = new("gemma2"),
        },
        new()
        {
            ModelType = "gemma3_text",
            Architecture = "Gemma3ForCausalLM",
            Describe = DescribeGemma3,
            OtherNames = new Dictionary<string, string[]> { ["sliding_window_pattern"] = ["_sliding_window_pattern"] },
            Tensors = LlamaFamilies.Named(FourNorms),
            StatesHeadDim = true,
            StatesKeyValueHeads = true,
            Gguf = new("gemma3"),
        },
        new()
        {
            ModelType = "recurrent_gemma",
            Architecture = "RecurrentGemmaForCausalLM",
            OtherNames = new Dictionary<string, string[]> { ["block_types"] = ["_block_types"] },
            Harmless = new HashSet<string> { "w_init_variance_scale", "final_w_init_variance_scale" },
            Describe = DescribeRecurrent,
            Tensors = LlamaFamilies.Named(("final_norm", "model.final_norm"), ("attention_norm", "temporal_pre_norm"), ("feed_forward_norm", "channel_pre_norm"),
                ("query", "temporal_block.q_proj"), ("key", "temporal_block.k_proj"), ("value", "temporal_block.v_proj"), ("output", "temporal_block.o_proj"),
                ("recurrent_x", "temporal_block.linear_x"), ("recurrent_y", "temporal_block.linear_y"), ("recurrent_out", "temporal_block.linear_out"),
                ("convolution", "temporal_block.conv_1d"), ("recurrence", "temporal_block.rg_lru"),
                ("gate", "mlp_block.gate_proj"), ("up", "mlp_block.up_proj"), ("down", "mlp_block.down_proj")),
            Gguf = new("recurrent_gemma") { KnownToLlamaCpp = false },
        },
    ];

    private static ModelConfig Base(ConfigReader r, FamilyDefaults defaults)
    {
        // Gemma 1 files state hidden_act "gelu" or not at all; the published models were trained with the tanh form.
        string stated = r.String("hidden_activation", r.Has("hidden_act") && r.String("hidden_act", "") is var act && act != "gelu" ? act : "gelu_pytorch_tanh");
        ModelConfig config = LlamaFamilies.WithAttentionBias(r, StandardKeys.Read(r, defaults));
        if (stated != "gelu_pytorch_tanh")
            throw r.Refuse("hidden_activation", $"'{stated}' is not supported, only gelu_pytorch_tanh");
        return config with
        {
            HiddenAct = Activation.GeluTanh,
            Norm = config.Norm with { GainOffset = 1 },
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
        };
    }

    private static ModelConfig DescribeGemma2(ConfigReader r)
    {
        ModelConfig config = Base(r, GemmaDefaults);
        Func<int, bool> slides = StandardKeys.SlidingLayers(r, config.NumHiddenLayers) ?? (l => l % 2 == 0);
        return config.WithWindow(r.SizeOrNone("sliding_window", 4096), slides) with
        {
            NormPlacement = NormPlacement.Both,
            AttentionScale = 1 / Math.Sqrt(r.Positive("query_pre_attn_scalar", 256)),
            AttnLogitSoftcapping = r.PositiveOrNone("attn_logit_softcapping", 50),
            FinalLogitSoftcapping = r.PositiveOrNone("final_logit_softcapping", 30),
        };
    }

    private static ModelConfig DescribeGemma3(ConfigReader r)
    {
        ModelConfig config = Base(r, GemmaDefaults with { MaxPositions = 131072, Theta = 1e6, RopeByLayerType = true });
        int pattern = r.Size("sliding_window_pattern", 6);
        Func<int, bool> slides = StandardKeys.SlidingLayers(r, config.NumHiddenLayers) ?? (l => (l + 1) % pattern != 0);
        // Local blocks turn with their own base and without the stretching that the global ones get.
        RopeConfig local = RopeKeys.ReadLocal(r, config.HeadDim, config.MaxPositionEmbeddings);
        config = config.WithWindow(r.SizeOrNone("sliding_window", 4096), slides);
        return config with
        {
            Layers = [.. config.Layers.Select((layer, l) => slides(l) ? layer with { Rope = local } : layer)],
            NormPlacement = NormPlacement.Both,
            QkNorm = QueryKeyNorm.PerHead,
            AttentionScale = 1 / Math.Sqrt(r.Positive("query_pre_attn_scalar", 256)),
            AttnLogitSoftcapping = r.PositiveOrNone("attn_logit_softcapping"),
            FinalLogitSoftcapping = r.PositiveOrNone("final_logit_softcapping"),
        };
    }

    private static ModelConfig DescribeRecurrent(ConfigReader r)
    {
        ModelConfig config = StandardKeys.Read(r, new() { MaxPositions = 8192, Tied = true, RotaryShare = 0.5, Activation = "gelu_pytorch_tanh", ActivationKey = "hidden_activation" });
        IReadOnlyList<string> pattern = r.Strings("block_types") ?? ["recurrent", "recurrent", "attention"];
        foreach (string type in pattern)
        {
            if (type is not ("recurrent" or "attention"))
                throw r.Refuse("block_types", $"'{type}' is not known; recurrent and attention are");
        }

        if (pattern.Count == 0)
            throw r.Refuse("block_types", "is empty");
        int lru = r.SizeOrNone("lru_width") is > 0 and var stated ? stated : config.HiddenSize, window = r.Size("attention_window_size", 2048);
        int heads = config.Layers[0].Heads;
        if (lru % heads != 0)
            throw r.Refuse("lru_width", $"{lru} is no multiple of num_attention_heads {heads}");
        return config with
        {
            Layers = [.. config.Layers.Select((layer, l) => layer with
            {
                Kind = pattern[l % pattern.Count] == "recurrent" ? LayerKind.Recurrent : LayerKind.Attention,
                // Here the window counts the keys before the current one.
                SlidingWindow = window + 1,
                // The file's number counts gate and up together.
                IntermediateSize = layer.IntermediateSize / 2,
            })],
            Norm = config.Norm with { GainOffset = 1 },
            QkvBias = r.Bool("attention_bias", false),
            AttentionOutputBias = true,
            MlpBias = true,
            EmbeddingScale = r.Bool("embeddings_scale_by_sqrt_dim", true) ? (double)RoundToBFloat16(Math.Sqrt(config.HiddenSize)) : 1,
            FinalLogitSoftcapping = r.Positive("logits_soft_cap", 30),
            Recurrent = new RecurrentConfig(lru, heads, r.Size("conv1d_width", 4)),
        };
    }

    // The published code keeps this one constant in bfloat16 whatever the weights' type.
    private static float RoundToBFloat16(double value) =>
        BitConverter.UInt32BitsToSingle((uint)Tensors.NumberFormats.ToBFloat16((float)value) << 16);
}
