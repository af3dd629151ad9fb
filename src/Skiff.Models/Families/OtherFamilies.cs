namespace Skiff.Models;

/// <summary>OLMo, OpenELM, Nemotron, the first Qwen, and Skiff's own description with every trait spelled out.</summary>
internal static class OtherFamilies
{
    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new()
        {
            // LayerNorm without gain or bias.
            ModelType = "olmo",
            NormKey = "layer_norm_eps",
            Architecture = "OlmoForCausalLM",
            Describe = r =>
            {
                ModelConfig config = StandardKeys.Read(r, new() { Rms = false, NormKey = "layer_norm_eps", Epsilon = 1e-5 });
                return LlamaFamilies.WithAttentionBias(r, config) with
                {
                    Norm = config.Norm with { Gain = false, Bias = false },
                    ClipQkv = r.PositiveOrNone("clip_qkv"),
                };
            },
            Tensors = LlamaFamilies.Names,
            Gguf = new("olmo") { AdjacentPairs = true },
        },
        new()
        {
            ModelType = "olmo2",
            Architecture = "Olmo2ForCausalLM",
            Describe = r => LlamaFamilies.WithAttentionBias(r, StandardKeys.Read(r, new() { Epsilon = 1e-5 })) with
            {
                NormPlacement = NormPlacement.AfterBranch,
                QkNorm = QueryKeyNorm.Whole,
            },
            Tensors = LlamaFamilies.Named(("post_attention_norm", "post_attention_layernorm"), ("post_feed_forward_norm", "post_feedforward_layernorm")),
            Gguf = new("olmo2"),
        },
        new()
        {
            ModelType = "openelm",
            NormKey = null,
            Architecture = "OpenELMForCausalLM",
            KeyNames = new Dictionary<string, string>
            {
                ["hidden_size"] = "model_dim", ["num_hidden_layers"] = "num_transformer_layers", ["max_position_embeddings"] = "max_context_length",
                ["rope_theta"] = "rope_freq_constant", ["tie_word_embeddings"] = "share_input_output_layers", ["hidden_act"] = "activation_fn_name",
            },
            Harmless = new HashSet<string> { "qkv_multipliers", "rope_max_length" },
            AtOneValue = new Dictionary<string, string> { ["ffn_with_glu"] = "true", ["normalization_layer_name"] = "\"rms_norm\"" },
            Describe = DescribeOpenElm,
            Tensors = new()
            {
                LayerPrefix = "transformer.layers.{l}.",
                Modules = new Dictionary<string, string>
                {
                    ["embedding"] = "transformer.token_embeddings", ["final_norm"] = "transformer.norm", ["head"] = "lm_head",
                    ["attention_norm"] = "attn_norm", ["feed_forward_norm"] = "ffn_norm", ["output"] = "attn.out_proj",
                    ["query_norm"] = "attn.q_norm", ["key_norm"] = "attn.k_norm", ["down"] = "ffn.proj_2",
                },
                Fused = [new("attn.qkv_proj", ["query", "key", "value"]), new("ffn.proj_1", ["gate", "up"])],
            },
            Gguf = new("openelm") { Fused = [GgufFamily.AttentionQkv] },
        },
        new()
        {
            // LayerNorm with gain 1 + w, squared ReLU (arXiv 2402.16819; the Minitron models).
            ModelType = "nemotron",
            NormKey = "norm_eps",
            StatesRotaryShare = true,
            Architecture = "NemotronForCausalLM",
            OtherNames = new Dictionary<string, string[]> { ["head_dim"] = ["kv_channels"] },
            Describe = r =>
            {
                ModelConfig config = LlamaFamilies.WithAttentionBias(r, StandardKeys.Read(r, new()
                {
                    Rms = false, NormKey = "norm_eps", Epsilon = 1e-5, Activation = "relu2", MaxPositions = 4096, RotaryShare = 0.5,
                }));
                return config with { Norm = config.Norm with { GainOffset = 1 }, Gated = false, MlpBias = r.Bool("mlp_bias", false) };
            },
            Tensors = LlamaFamilies.Names,
            Gguf = new("nemotron"),
        },
        new()
        {
            ModelType = "qwen",
            NormKey = "layer_norm_epsilon",
            Architecture = "QWenLMHeadModel",
            KeyNames = new Dictionary<string, string> { ["rope_theta"] = "rotary_emb_base", ["partial_rotary_factor"] = "rotary_pct", ["head_dim"] = "kv_channels" },
            // The first files of the family kept Megatron's names.
            OtherNames = new Dictionary<string, string[]>
            {
                ["hidden_size"] = ["n_embd"], ["num_hidden_layers"] = ["n_layer"], ["num_attention_heads"] = ["n_head"],
                ["max_position_embeddings"] = ["n_positions"], ["intermediate_size"] = ["ffn_hidden_size"], ["vocab_size"] = ["padded_vocab_size"],
            },
            Harmless = new HashSet<string>
            {
                "fp16", "bf16", "fp32", "params_dtype", "onnx_safe", "use_cache_quantization", "use_cache_kernel", "softmax_in_fp32",
            },
            AtOneValue = new Dictionary<string, string>
            {
                ["no_bias"] = "true", ["scale_attn_weights"] = "true", ["activation"] = "\"swiglu\"", ["pos_emb"] = "\"rotary\"",
                ["apply_residual_connection_post_layernorm"] = "false",
            },
            Describe = DescribeQwen,
            Tensors = new()
            {
                LayerPrefix = "transformer.h.{l}.",
                Modules = new Dictionary<string, string>
                {
                    ["embedding"] = "transformer.wte", ["final_norm"] = "transformer.ln_f", ["head"] = "lm_head", ["attention_norm"] = "ln_1",
                    ["feed_forward_norm"] = "ln_2", ["output"] = "attn.c_proj", ["gate"] = "mlp.w2", ["up"] = "mlp.w1", ["down"] = "mlp.c_proj",
                },
                Fused = [new("attn.c_attn", ["query", "key", "value"])],
            },
            Gguf = new("qwen") { Fused = [GgufFamily.AttentionQkv], FeedForwardFactor = 2 },
        },
        new()
        {
            ModelType = "skiff",
            Architecture = "SkiffForCausalLM",
            Describe = DescribeSkiff,
            Tensors = LlamaFamilies.Named(("position_embedding", "model.embed_positions"), ("router", "mlp.router"),
                ("experts.gate", "mlp.experts.{i}.gate_proj"), ("experts.up", "mlp.experts.{i}.up_proj"), ("experts.down", "mlp.experts.{i}.down_proj")),
            Gguf = new("skiff") { KnownToLlamaCpp = false },
        },
    ];

    // The feed-forward's width is a multiple of model_dim rounded to ffn_dim_divisor, never down by more than a tenth.
    private static ModelConfig DescribeOpenElm(ConfigReader r)
    {
        int width = r.Size("hidden_size"), count = StandardKeys.LayerCount(r), headDim = r.Size("head_dim"), divisor = r.Size("ffn_dim_divisor", 256);
        // Lists of heads are stored once made; else they follow from the multipliers.
        int groups = r.Size("num_gqa_groups", 1), headMultiple = r.Has("num_gqa_groups") ? groups : 2;
        IReadOnlyList<int> heads = Stored("num_query_heads")
            ?? [.. PerLayer("qkv_multipliers").Select(m => Divisible("qkv_multipliers", m * width, (long)headDim * headMultiple) / headDim)];
        IReadOnlyList<int> keyHeads = Stored("num_kv_heads") ?? [.. heads.Select(h => Math.Max(1, h / groups))];
        IReadOnlyList<double> multipliers = PerLayer("ffn_multipliers");
        int maxPositions = r.Size("max_position_embeddings", 2048);
        RopeConfig rope = RopeKeys.Read(r, headDim, maxPositions, new());
        return new ModelConfig
        {
            ModelType = "openelm",
            Source = r.Json,
            VocabSize = r.Size("vocab_size"),
            HiddenSize = width,
            WordEmbedProjDim = width,
            MaxPositionEmbeddings = maxPositions,
            TieWordEmbeddings = r.Bool("tie_word_embeddings", false),
            Norm = new NormConfig { Epsilon = 1e-6 },
            HeadDim = headDim,
            ValueHeadDim = headDim,
            AttentionScale = 1 / Math.Sqrt(headDim),
            HiddenAct = StandardKeys.ActivationNamed(r, "hidden_act", "swish"),
            QkNorm = r.Bool("normalize_qk_projections", false) ? QueryKeyNorm.PerHead : QueryKeyNorm.None,
            Layers = [.. Enumerable.Range(0, count).Select(l => new LayerConfig
            {
                Weights = l, Heads = heads[l], KeyValueHeads = keyHeads[l], IntermediateSize = Divisible("ffn_multipliers", multipliers[l] * width, divisor), Rope = rope,
            })],
        };

        int Divisible(string key, double value, long unit)
        {
            long rounded = value is > 0 and < 1 << 28 ? Math.Max(unit, (long)(value + unit / 2.0) / unit * unit) : 0;
            rounded = rounded < 0.9 * value ? rounded + unit : rounded;
            return rounded is > 0 and < 1 << 28 ? (int)rounded : throw r.Refuse(key, $"{value} in steps of {unit} gives no usable width");
        }

        IReadOnlyList<int>? Stored(string key) => r.Sizes(key) is not { } list ? null
            : list.Count == count ? list
            : throw r.Refuse(key, $"{list.Count} values for {count} layers");

        // One number for all blocks, two ends of a straight line, or a number each.
        IReadOnlyList<double> PerLayer(string key)
        {
            IReadOnlyList<double> values = r.NumberOrNumbers(key) ?? throw r.Refuse(key, "is missing");
            if (values.Count == 2 && count > 2)
                return [.. Enumerable.Range(0, count).Select(l => Math.Round(values[0] + (values[1] - values[0]) * l / (count - 1), 2))];
            return values.Count == 1 ? [.. Enumerable.Repeat(values[0], count)]
                : values.Count == count ? values
                : throw r.Refuse(key, $"{values.Count} values for {count} layers");
        }
    }

    private static ModelConfig DescribeQwen(ConfigReader r)
    {
        int trained = r.Size("seq_length", 8192);
        ModelConfig config = StandardKeys.Read(r, new() { NormKey = "layer_norm_epsilon", MaxPositions = trained });
        // Both begin beyond the trained length; a model that never goes there has neither.
        bool beyond = config.MaxPositionEmbeddings > trained;
        bool dynamic = r.Bool("use_dynamic_ntk", true) && beyond, logarithmic = r.Bool("use_logn_attn", true) && beyond;
        return config with
        {
            Layers = [.. config.Layers.Select(layer => layer with
            {
                IntermediateSize = layer.IntermediateSize / 2,
                Rope = layer.Rope! with { Scaling = dynamic ? RopeScaling.QwenDynamic : RopeScaling.None, OriginalMaxPositionEmbeddings = trained },
            })],
            QkvBias = true,
            LogAttentionLength = logarithmic ? trained : 0,
        };
    }

    private static ModelConfig DescribeSkiff(ConfigReader r)
    {
        string norm = r.String("norm", "rmsnorm"), position = r.String("position", "rope"), qkNorm = r.String("qk_norm", "none");
        PositionKind kind = position switch
        {
            "rope" => PositionKind.Rotary,
            "learned" => PositionKind.Learned,
            "alibi" => PositionKind.Alibi,
            "none" => PositionKind.None,
            _ => throw r.Refuse("position", $"'{position}' is not known; rope, learned, alibi and none are"),
        };
        bool rms = norm == "rmsnorm" ? true : norm == "layernorm" ? false : throw r.Refuse("norm", $"'{norm}' is not known; rmsnorm and layernorm are");
        ModelConfig config = StandardKeys.Read(r, new() { NormKey = "norm_eps", Rms = rms, Epsilon = 1e-5, Position = kind });
        bool parallel = r.Bool("use_parallel_residual", false);
        config = LlamaFamilies.WithAttentionBias(r, config) with
        {
            Norm = config.Norm with { Bias = r.Bool("norm_bias", false), Gain = r.Bool("norm_gain", true) },
            Gated = r.Bool("gated", true),
            MlpBias = r.Bool("mlp_bias", false),
            UseParallelResidual = parallel,
            SharedParallelNorm = parallel,
            QkNorm = qkNorm switch
            {
                "none" => QueryKeyNorm.None,
                "per_head" => QueryKeyNorm.PerHead,
                "whole" => QueryKeyNorm.Whole,
                _ => throw r.Refuse("qk_norm", $"'{qkNorm}' is not known; none, per_head and whole are"),
            },
            NumLocalExperts = r.SizeOrNone("num_local_experts") is var experts && experts <= StandardKeys.MostExperts
                ? experts
                : throw r.Refuse("num_local_experts", $"is above {StandardKeys.MostExperts}"),
            NumExpertsPerTok = r.SizeOrNone("num_experts_per_tok"),
            FinalLogitSoftcapping = r.PositiveOrNone("final_logit_softcapping"),
            AttnLogitSoftcapping = r.PositiveOrNone("attn_logit_softcapping"),
        };
        return config.WithWindow(r.SizeOrNone("sliding_window"), _ => true);
    }
}
