namespace Skiff.Models;

/// <summary>Llama and what keeps its names: gated feed-forward, RMSNorm, rotary positions.</summary>
internal static class LlamaFamilies
{
    /// <summary>Names of Llama's tensors, which most later families kept.</summary>
    public static TensorNames Names { get; } = new()
    {
        OptionalPrefix = "model.",
        LayerPrefix = "model.layers.{l}.",
        Modules = new Dictionary<string, string>
        {
            ["embedding"] = "model.embed_tokens",
            ["final_norm"] = "model.norm",
            ["head"] = "lm_head",
            ["attention_norm"] = "input_layernorm",
            ["feed_forward_norm"] = "post_attention_layernorm",
            ["query"] = "self_attn.q_proj",
            ["key"] = "self_attn.k_proj",
            ["value"] = "self_attn.v_proj",
            ["output"] = "self_attn.o_proj",
            ["query_norm"] = "self_attn.q_norm",
            ["key_norm"] = "self_attn.k_norm",
            ["gate"] = "mlp.gate_proj",
            ["up"] = "mlp.up_proj",
            ["down"] = "mlp.down_proj",
        },
    };

    /// <summary>The names with some changed or added.</summary>
    public static TensorNames Named(params (string Module, string Name)[] changes)
    {
        Dictionary<string, string> modules = new(Names.Modules);
        foreach ((string module, string name) in changes)
            modules[module] = name;
        return Names with { Modules = modules };
    }

    // Files of these families state them all the same.
    private static readonly Dictionary<string, string> NoBiases = new() { ["attention_bias"] = "false", ["mlp_bias"] = "false" };

    private static readonly GgufFamily Llama = new("llama") { AdjacentPairs = true };

    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new() { ModelType = "llama", Architecture = "LlamaForCausalLM", Describe = Describe, Tensors = Names, Gguf = Llama },
        new()
        {
            ModelType = "mistral",
            Architecture = "MistralForCausalLM",
            Describe = r => Windowed(r, StandardKeys.Read(r, new() { MaxPositions = 131072, KeyValueHeads = 8 }), 4096),
            AtOneValue = NoBiases,
            StatesKeyValueHeads = true,
            Tensors = Names,
            Gguf = Llama,
        },
        new()
        {
            ModelType = "mixtral",
            Architecture = "MixtralForCausalLM",
            AtOneValue = NoBiases,
            StatesKeyValueHeads = true,
            Describe = r => Windowed(r, StandardKeys.Read(r, new() { MaxPositions = 131072, Epsilon = 1e-5, Theta = 1e6, KeyValueHeads = 8 }), 0) with
            {
                NumLocalExperts = Experts(r, "num_local_experts", 8),
                NumExpertsPerTok = r.Size("num_experts_per_tok", 2),
            },
            Tensors = Named(("router", "block_sparse_moe.gate"), ("experts.gate", "block_sparse_moe.experts.{i}.w1"),
                ("experts.up", "block_sparse_moe.experts.{i}.w3"), ("experts.down", "block_sparse_moe.experts.{i}.w2")),
            Gguf = Llama,
        },
        new()
        {
            // A block may run several times in a row with the same weights (arXiv 2402.14905, section 3.3).
            ModelType = "mobilellm",
            Architecture = "MobileLLMForCausalLM",
            Describe = DescribeMobileLlm,
            Tensors = Names,
            Gguf = Llama,
        },
        new()
        {
            // One feed-forward for all blocks (arXiv 2402.16840).
            ModelType = "mobillama",
            Architecture = "MobiLlamaForCausalLM",
            Describe = r => Describe(r) with { SharedFeedForward = true },
            Tensors = Names,
            Gguf = Llama,
        },
        new()
        {
            ModelType = "qwen2",
            Architecture = "Qwen2ForCausalLM",
            Describe = r => QwenWindow(r, StandardKeys.Read(r, new() { MaxPositions = 32768, KeyValueHeads = 32 })) with { QkvBias = true },
            StatesKeyValueHeads = true,
            Tensors = Names,
            Gguf = new("qwen2"),
        },
        new()
        {
            ModelType = "qwen3",
            Architecture = "Qwen3ForCausalLM",
            Describe = r => WithAttentionBias(r, QwenWindow(r, StandardKeys.Read(r, new() { MaxPositions = 32768, HeadDim = 128, KeyValueHeads = 32 }))) with
            {
                QkNorm = QueryKeyNorm.PerHead,
            },
            Tensors = Names,
            StatesHeadDim = true,
            StatesKeyValueHeads = true,
            Gguf = new("qwen3"),
        },
        new()
        {
            ModelType = "minicpm",
            Architecture = "MiniCPMForCausalLM",
            Describe = r => MiniCpmScales(r, WithAttentionBias(r, StandardKeys.Read(r, new() { Tied = true }))),
            Harmless = new HashSet<string> { "mup_denominator" },
            HasOwnScales = true,
            Tensors = Names,
            Gguf = new("minicpm") { AdjacentPairs = true },
        },
        new()
        {
            ModelType = "minicpm3",
            Architecture = "MiniCPM3ForCausalLM",
            Harmless = new HashSet<string> { "mup_denominator" },
            HasOwnScales = true,
            Describe = DescribeMiniCpm3,
            Tensors = Named(("query_a", "self_attn.q_a_proj"), ("query_a_norm", "self_attn.q_a_layernorm"), ("query_b", "self_attn.q_b_proj"),
                ("key_value_a", "self_attn.kv_a_proj_with_mqa"), ("key_value_a_norm", "self_attn.kv_a_layernorm"), ("key_value_b", "self_attn.kv_b_proj")),
            Gguf = new("minicpm3"),
        },
    ];

    public static ModelConfig Describe(ConfigReader r) => WithBiases(r, StandardKeys.Read(r, new()));

    private static ModelConfig WithBiases(ConfigReader r, ModelConfig config) =>
        WithAttentionBias(r, config) with { MlpBias = r.Bool("mlp_bias", false) };

    public static ModelConfig WithAttentionBias(ConfigReader r, ModelConfig config)
    {
        bool bias = r.Bool("attention_bias", false);
        return config with { QkvBias = bias, AttentionOutputBias = bias };
    }

    private static ModelConfig Windowed(ConfigReader r, ModelConfig config, int absent) => config.WithWindow(r.SizeOrNone("sliding_window", absent), _ => true);

    // Blocks from max_window_layers on slide, where sliding is switched on at all; newer files list layer_types.
    private static ModelConfig QwenWindow(ConfigReader r, ModelConfig config)
    {
        int window = r.SizeOrNone("sliding_window", 4096), first = r.SizeOrNone("max_window_layers", 28);
        Func<int, bool> slides = StandardKeys.SlidingLayers(r, config.NumHiddenLayers) ?? (l => l >= first);
        return r.Bool("use_sliding_window", false) ? config.WithWindow(window, slides) : config;
    }

    private static ModelConfig DescribeMobileLlm(ConfigReader r)
    {
        ModelConfig config = WithBiases(r, StandardKeys.Read(r, new()));
        bool shared = r.Bool("layer_sharing", false);
        return config with
        {
            TieWordEmbeddings = r.Bool("share_embedding", false) || config.TieWordEmbeddings,
            Layers = shared ? [.. config.Layers.SelectMany(layer => new[] { layer, layer })] : config.Layers,
        };
    }

    // scale_emb on the embedding, scale_depth / sqrt(layers) on each branch, hidden_size / dim_model_base below the head.
    private static ModelConfig MiniCpmScales(ConfigReader r, ModelConfig config) => config with
    {
        EmbeddingScale = r.Positive("scale_emb", 1),
        ResidualScale = r.Positive("scale_depth", 1) / Math.Sqrt(config.NumHiddenLayers),
        LogitScale = r.Positive("dim_model_base", 1) / config.HiddenSize,
        // The published code makes its table of angles once, for the longest context: long factors from the first token.
        Layers = [.. config.Layers.Select(layer => layer.Rope is { Scaling: RopeScaling.LongRope, Factor: > 1 } rope
            ? layer with { Rope = rope with { ShortFactor = rope.LongFactor } }
            : layer)],
    };

    private static ModelConfig DescribeMiniCpm3(ConfigReader r)
    {
        LatentAttentionConfig latent = new(r.Size("q_lora_rank", 768), r.Size("kv_lora_rank", 256), r.Size("qk_nope_head_dim", 64),
            r.Size("qk_rope_head_dim", 32), 0);
        int headDim = latent.QkNopeHeadDim + latent.QkRopeHeadDim;
        // Only the rotated part of a head counts below; a file that states a width can only mean all of it.
        if (r.SizeOrNone("head_dim") is > 0 and var stated && stated != headDim)
            throw r.Refuse("head_dim", $"{stated} is not qk_nope_head_dim + qk_rope_head_dim, {headDim}");
        ModelConfig config = StandardKeys.Read(r, new() { FixedHeadDim = latent.QkRopeHeadDim, MaxPositions = 32768, Tied = true });
        latent = latent with { VHeadDim = r.Size("v_head_dim", config.HiddenSize / config.Layers[0].Heads) };
        config = MiniCpmScales(r, WithAttentionBias(r, config));
        return config with
        {
            Latent = latent,
            HeadDim = headDim,
            ValueHeadDim = latent.VHeadDim,
            AttentionScale = 1 / Math.Sqrt(headDim),
            QkvBias = r.Bool("attention_bias", false),
        };
    }

    private static int Experts(ConfigReader r, string key, int absent)
    {
        int experts = r.Size(key, absent);
        return experts <= StandardKeys.MostExperts ? experts : throw r.Refuse(key, $"{experts} is above {StandardKeys.MostExperts}");
    }
}
