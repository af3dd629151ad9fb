namespace Skiff.Models;

/// <summary>Phi 1 to 3 and StableLM: partly rotated heads, parallel or fused forms.</summary>
internal static class PhiFamilies
{
    private static readonly FusedModules Qkv = new("self_attn.qkv_proj", ["query", "key", "value"]);

    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new()
        {
            ModelType = "phi",
            Architecture = "PhiForCausalLM",
            NormKey = "layer_norm_eps",
            StatesRotaryShare = true,
            Describe = DescribePhi,
            Tensors = LlamaFamilies.Named(("final_norm", "model.final_layernorm"), ("output", "self_attn.dense"), ("up", "mlp.fc1"), ("down", "mlp.fc2"),
                ("query_norm", "self_attn.q_layernorm"), ("key_norm", "self_attn.k_layernorm")),
            Gguf = new("phi2") { Fused = [GgufFamily.AttentionQkv] },
        },
        new()
        {
            ModelType = "phi3",
            Architecture = "Phi3ForCausalLM",
            AtOneValue = new Dictionary<string, string> { ["full_attn_mod"] = "1", ["interpolate_factor"] = "1", ["lm_head_bias"] = "false", ["mlp_bias"] = "false" },
            Describe = r => LlamaFamilies.WithAttentionBias(r, StandardKeys.Read(r, new() { Epsilon = 1e-5, MaxPositions = 4096 }))
                .WithWindow(r.SizeOrNone("sliding_window"), _ => true),
            Tensors = LlamaFamilies.Names with { Fused = [Qkv, new("mlp.gate_up_proj", ["gate", "up"])] },
            Gguf = new("phi3") { Fused = [GgufFamily.AttentionQkv, new("ffn_up", ["gate", "up"])] },
        },
        new()
        {
            ModelType = "stablelm",
            Architecture = "StableLmForCausalLM",
            AtOneValue = new Dictionary<string, string> { ["rotary_scaling_factor"] = "1" },
            OtherNames = new Dictionary<string, string[]> { ["layer_norm_eps"] = ["norm_eps"], ["partial_rotary_factor"] = ["rope_pct"] },
            StatesKeyValueHeads = true,
            KeyNames = new Dictionary<string, string> { ["attention_bias"] = "use_qkv_bias" },
            NormKey = "layer_norm_eps",
            StatesRotaryShare = true,
            Describe = DescribeStableLm,
            Tensors = LlamaFamilies.Named(("query_norm", "self_attn.q_layernorm.norms.{i}"), ("key_norm", "self_attn.k_layernorm.norms.{i}")),
            Gguf = new("stablelm"),
        },
    ];

    private static ModelConfig DescribePhi(ConfigReader r)
    {
        ModelConfig config = StandardKeys.Read(r, new()
        {
            NormKey = "layer_norm_eps",
            Rms = false,
            Epsilon = 1e-5,
            Activation = "gelu_new",
            RotaryShare = 0.5,
            FeedForwardFactor = 4,
        });
        return config with
        {
            UseParallelResidual = true,
            SharedParallelNorm = true,
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
            Gated = false,
            HeadBias = true,
            QkNorm = r.Bool("qk_layernorm", false) ? QueryKeyNorm.PerHead : QueryKeyNorm.None,
        };
    }

    private static ModelConfig DescribeStableLm(ConfigReader r)
    {
        ModelConfig config = StandardKeys.Read(r, new() { NormKey = "layer_norm_eps", Rms = false, Epsilon = 1e-5, MaxPositions = 4096, RotaryShare = 0.25, KeyValueHeads = 32 });
        bool parallel = r.Bool("use_parallel_residual", false);
        return config with
        {
            QkvBias = r.Bool("attention_bias", false),
            UseParallelResidual = parallel,
            SharedParallelNorm = parallel,
            QkNorm = r.Bool("qk_layernorm", false) ? QueryKeyNorm.EachHead : QueryKeyNorm.None,
        };
    }
}
