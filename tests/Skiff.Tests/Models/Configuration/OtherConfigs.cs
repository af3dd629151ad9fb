using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

/// <summary>OpenELM, OLMo and Nemotron.</summary>
internal static class OtherConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("openelm-270m", 271_527_168, """
            {"activation_fn_name": "swish", "architectures": ["OpenELMForCausalLM"], "auto_map": {"AutoConfig": "configuration_openelm.OpenELMConfig"}, "bos_token_id": 1,
             "eos_token_id": 2, "ffn_dim_divisor": 256, "ffn_multipliers": [0.5, 0.73, 0.97, 1.2, 1.43, 1.67, 1.9, 2.13, 2.37, 2.6, 2.83, 3.07, 3.3, 3.53, 3.77, 4.0],
             "ffn_with_glu": true, "head_dim": 64, "initializer_range": 0.02, "max_context_length": 2048, "model_dim": 1280, "model_type": "openelm",
             "normalization_layer_name": "rms_norm", "normalize_qk_projections": true, "num_gqa_groups": 4, "num_kv_heads": [3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5],
             "num_query_heads": [12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 20, 20, 20, 20], "num_transformer_layers": 16, "qkv_multipliers": [0.5, 1.0],
             "rope_freq_constant": 10000, "rope_max_length": 4096, "share_input_output_layers": true, "torch_dtype": "bfloat16", "transformers_version": "4.39.3",
             "use_cache": true, "vocab_size": 32000}
            """, c =>
        {
            Assert.True(c.TieWordEmbeddings && c.QkNorm == QueryKeyNorm.PerHead);
            Assert.Equal((12, 3, 768), (c.Layers[0].Heads, c.Layers[0].KeyValueHeads, c.Layers[0].IntermediateSize));
            Assert.Equal((20, 5, 5120), (c.Layers[15].Heads, c.Layers[15].KeyValueHeads, c.Layers[15].IntermediateSize));
        }),
        new("openelm-270m by its rule", 271_527_168, """
            {"activation_fn_name": "swish", "architectures": ["OpenELMForCausalLM"], "ffn_dim_divisor": 256, "ffn_multipliers": [0.5, 4.0], "ffn_with_glu": true,
             "head_dim": 64, "max_context_length": 2048, "model_dim": 1280, "model_type": "openelm", "normalize_qk_projections": true, "num_gqa_groups": 4,
             "num_transformer_layers": 16, "qkv_multipliers": [0.5, 1.0], "rope_freq_constant": 10000, "share_input_output_layers": true, "vocab_size": 32000}
            """, c => Assert.Null(LlamaConfigs.Difference(PublishedConfig.Named("openelm-270m").Config, c))),
        new("olmo-1b", 1_176_764_416, """
            {"architectures": ["OlmoForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "clip_qkv": null, "eos_token_id": 50279, "hidden_act": "silu",
             "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 2048, "model_type": "olmo",
             "num_attention_heads": 16, "num_hidden_layers": 16, "num_key_value_heads": 16, "pad_token_id": 1, "rope_scaling": null, "rope_theta": 10000.0,
             "tie_word_embeddings": true, "torch_dtype": "float32", "transformers_version": "4.40.0.dev0", "use_cache": true, "vocab_size": 50304}
            """, c => Assert.Equal((false, false, 0.0), (c.Norm.Gain, c.Norm.Bias, c.ClipQkv))),
        new("olmo-2-7b", 7_298_617_344, """
            {"architectures": ["Olmo2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "eos_token_id": 100257, "hidden_act": "silu", "hidden_size": 4096,
             "initializer_range": 0.02, "intermediate_size": 11008, "max_position_embeddings": 4096, "model_type": "olmo2", "num_attention_heads": 32,
             "num_hidden_layers": 32, "num_key_value_heads": 32, "pad_token_id": 100277, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 500000,
             "tie_word_embeddings": false, "torch_dtype": "float32", "transformers_version": "4.47.0.dev0", "use_cache": true, "vocab_size": 100352}
            """, c => Assert.Equal((NormPlacement.AfterBranch, QueryKeyNorm.Whole, 1e-6), (c.NormPlacement, c.QkNorm, c.Norm.Epsilon))),
        new("minitron-4b", 4_190_509_056, """
            {"architectures": ["NemotronForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "eos_token_id": 3, "hidden_act": "relu2",
             "hidden_size": 3072, "initializer_range": 0.0134, "intermediate_size": 9216, "kv_channels": 128, "max_position_embeddings": 4096, "mlp_bias": false,
             "model_type": "nemotron", "norm_eps": 1e-05, "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8, "partial_rotary_factor": 0.5,
             "rope_theta": 10000, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.48.0", "use_cache": true, "vocab_size": 256000}
            """, c =>
        {
            Assert.Equal((Activation.Relu2, false, 1f), (c.HiddenAct, c.Gated, c.Norm.GainOffset));
            Assert.Equal(64, c.Layers[0].Rope!.RotaryDim);
        }),
    ];
}
