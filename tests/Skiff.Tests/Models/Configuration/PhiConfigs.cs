using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

/// <summary>Phi 1 to 4-mini and StableLM.</summary>
internal static class PhiConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("phi-1.5", 1_418_270_720, """
            {"architectures": ["PhiForCausalLM"], "attention_dropout": 0.0, "bos_token_id": null, "embd_pdrop": 0.0, "eos_token_id": null, "hidden_act": "gelu_new",
             "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "phi",
             "num_attention_heads": 32, "num_hidden_layers": 24, "num_key_value_heads": null, "partial_rotary_factor": 0.5, "qk_layernorm": false, "resid_pdrop": 0.0,
             "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.37.0", "use_cache": true,
             "vocab_size": 51200}
            """, c =>
        {
            Assert.True(c.UseParallelResidual && c.SharedParallelNorm && c.HeadBias && c.MlpBias);
            Assert.Equal((32, 32), (c.Layers[0].KeyValueHeads, c.Layers[0].Rope!.RotaryDim));
        }),
        new("phi-2", 2_779_683_840, """
            {"_name_or_path": "microsoft/phi-2", "architectures": ["PhiForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 50256, "embd_pdrop": 0.0,
             "eos_token_id": 50256, "hidden_act": "gelu_new", "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 10240, "layer_norm_eps": 1e-05,
             "max_position_embeddings": 2048, "model_type": "phi", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
             "partial_rotary_factor": 0.4, "qk_layernorm": false, "resid_pdrop": 0.1, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false,
             "torch_dtype": "float16", "transformers_version": "4.37.0", "use_cache": true, "vocab_size": 51200}
            """, c => Assert.Equal(32, c.Layers[0].Rope!.RotaryDim)),
        new("phi-3-mini", 3_821_079_552, """
            {"_name_or_path": "Phi-3-mini-4k-instruct", "architectures": ["Phi3ForCausalLM"], "attention_dropout": 0.0,
             "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}, "bos_token_id": 1, "embd_pdrop": 0.0,
             "eos_token_id": 32000, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 4096,
             "model_type": "phi3", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "original_max_position_embeddings": 4096,
             "pad_token_id": 32000, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "sliding_window": 2047,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.40.2", "attention_bias": false, "use_cache": true, "vocab_size": 32064}
            """, c => Assert.Equal((2047, RopeScaling.None), (c.Layers[0].SlidingWindow, c.Layers[0].Rope!.Scaling))),
        new("phi-3.5-mini", 3_821_079_552, $$"""
            {"_name_or_path": "Phi-3.5-mini-instruct", "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "bos_token_id": 1, "embd_pdrop": 0.0, "eos_token_id": 32000, "hidden_act": "silu",
             "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072, "model_type": "phi3",
             "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "original_max_position_embeddings": 4096, "pad_token_id": 32000,
             "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor": {{PublishedConfig.Factors(48, 1.25)}},
             "short_factor": {{PublishedConfig.Factors(48, 0.0625)}}, "type": "longrope"}, "rope_theta": 10000.0, "sliding_window": 262144,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.3", "use_cache": true, "vocab_size": 32064}
            """, c =>
        {
            RopeConfig rope = c.Layers[0].Rope!;
            Assert.Equal((RopeScaling.LongRope, 32.0, 4096), (rope.Scaling, rope.Factor, rope.OriginalMaxPositionEmbeddings));
            Assert.Equal(Math.Sqrt(1 + Math.Log(32) / Math.Log(4096)), rope.Frequencies(1).Scale, 1e-12);
        }),
        new("phi-4-mini", 3_836_021_760, $$"""
            {"_name_or_path": "Phi-4-mini-instruct", "architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "bos_token_id": 199999, "embd_pdrop": 0.0, "eos_token_id": 199999, "full_attn_mod": 1,
             "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02, "intermediate_size": 8192, "interpolate_factor": 1, "lm_head_bias": false,
             "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "phi3", "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8,
             "original_max_position_embeddings": 4096, "pad_token_id": 199999, "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
             "rope_scaling": {"long_factor": {{PublishedConfig.Factors(48, 1.25)}}, "short_factor": {{PublishedConfig.Factors(48, 0)}}, "type": "longrope"},
             "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.45.0",
             "use_cache": true, "vocab_size": 200064}
            """, c => Assert.Equal((128, 96, true), (c.HeadDim, c.Layers[0].Rope!.RotaryDim, c.TieWordEmbeddings))),
        new("stablelm-zephyr-3b", 2_795_443_200, """
            {"architectures": ["StableLmForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02,
             "intermediate_size": 6912, "layer_norm_eps": 1e-05, "max_position_embeddings": 4096, "model_type": "stablelm", "num_attention_heads": 32,
             "num_hidden_layers": 32, "num_key_value_heads": 32, "partial_rotary_factor": 0.25, "rope_theta": 10000, "rotary_scaling_factor": 1.0,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.38.0", "use_cache": true, "use_qkv_bias": false, "vocab_size": 50304}
            """, c => Assert.Equal((20, false, false), (c.Layers[0].Rope!.RotaryDim, c.QkvBias, c.Norm.Rms))),
        new("stablelm-2-1.6b", 1_644_515_328, """
            {"architectures": ["StableLmForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 100257, "eos_token_id": 100257, "hidden_act": "silu", "hidden_dropout": 0.0,
             "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 5632, "layer_norm_eps": 1e-05, "max_position_embeddings": 4096,
             "model_type": "stablelm", "num_attention_heads": 32, "num_hidden_layers": 24, "num_key_value_heads": 32, "partial_rotary_factor": 0.25,
             "qk_layernorm": false, "rope_scaling": null, "rope_theta": 10000, "tie_word_embeddings": false, "torch_dtype": "float16",
             "transformers_version": "4.40.0", "use_cache": true, "use_parallel_residual": false, "use_qkv_bias": true, "vocab_size": 100352}
            """, c => Assert.True(c.QkvBias && !c.AttentionOutputBias && !c.UseParallelResidual)),
    ];
}
