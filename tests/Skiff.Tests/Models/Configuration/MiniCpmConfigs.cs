using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

/// <summary>MiniCPM 1 to 4.</summary>
internal static class MiniCpmConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("minicpm-1b", 1_360_246_272, """
            {"_name_or_path": "openbmb/MiniCPM-1B-sft-bf16", "architectures": ["MiniCPMForCausalLM"],
             "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMConfig", "AutoModelForCausalLM": "modeling_minicpm.MiniCPMForCausalLM"}, "bos_token_id": 1,
             "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 1536, "initializer_range": 0.1, "intermediate_size": 3840, "max_position_embeddings": 4096,
             "model_type": "minicpm", "num_attention_heads": 24, "num_hidden_layers": 52, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_scaling": null,
             "torch_dtype": "bfloat16", "transformers_version": "4.36.0", "use_cache": true, "vocab_size": 73440, "scale_emb": 12, "dim_model_base": 256,
             "scale_depth": 1.4, "tie_word_embeddings": true}
            """, c =>
        {
            Assert.Equal((12, 1.4 / Math.Sqrt(52), 256.0 / 1536), (c.EmbeddingScale, c.ResidualScale, c.LogitScale));
            Assert.Equal(10000, c.Layers[0].Rope!.Theta);
        }),
        new("minicpm-2b without its model_type", 2_724_880_896, """
            {"architectures": ["MiniCPMForCausalLM"], "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMConfig"}, "bos_token_id": 1, "eos_token_id": 2,
             "hidden_act": "silu", "hidden_size": 2304, "initializer_range": 0.1, "intermediate_size": 5760, "max_position_embeddings": 4096,
             "num_attention_heads": 36, "num_hidden_layers": 40, "num_key_value_heads": 36, "rms_norm_eps": 1e-05, "rope_scaling": null, "torch_dtype": "bfloat16",
             "transformers_version": "4.36.0", "use_cache": true, "vocab_size": 122753, "scale_emb": 12, "dim_model_base": 256, "scale_depth": 1.4}
            """, c => Assert.Equal(("minicpm", true), (c.ModelType, c.TieWordEmbeddings))),
        new("minicpm4-0.5b", 433_873_920, $$"""
            {"architectures": ["MiniCPMForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1, "dim_model_base": 256, "eos_token_id": [2, 73440],
             "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.1, "intermediate_size": 4096, "max_position_embeddings": 32768, "model_type": "minicpm",
             "mup_denominator": 32, "num_attention_heads": 16, "num_hidden_layers": 24, "num_key_value_heads": 2, "pad_token_id": 2, "pretraining_tp": 1,
             "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor": {{PublishedConfig.Factors(32, 1.5)}}, "original_max_position_embeddings": 32768,
             "rope_type": "longrope", "short_factor": {{PublishedConfig.Factors(32, 1.5)}}}, "rope_theta": 10000.0, "scale_depth": 1.4, "scale_emb": 12,
             "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.46.3", "use_cache": true, "vocab_size": 73448}
            """, c =>
        {
            RopeConfig rope = c.Layers[0].Rope!;
            Assert.Equal((RopeScaling.LongRope, 1.0, 1.0), (rope.Scaling, rope.Factor, rope.Frequencies(40000).Scale));
        }),
        new("minicpm3-4b", 4_073_875_968, $$"""
            {"architectures": ["MiniCPM3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPM3Config"},
             "bos_token_id": 1, "dim_model_base": 256, "eos_token_id": [2, 73440], "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.1,
             "intermediate_size": 6400, "kv_lora_rank": 256, "max_position_embeddings": 32768, "model_type": "minicpm3", "num_attention_heads": 40,
             "num_hidden_layers": 62, "num_key_value_heads": 40, "pad_token_id": 2, "q_lora_rank": 768, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32,
             "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor": {{PublishedConfig.Factors(16, 0.5)}}, "original_max_position_embeddings": 32768,
             "short_factor": {{PublishedConfig.Factors(16, 0.25)}}, "type": "longrope"}, "scale_depth": 1.4, "scale_emb": 12, "torch_dtype": "bfloat16",
             "transformers_version": "4.41.0", "use_cache": true, "vocab_size": 73448}
            """, c =>
        {
            Assert.Equal(new LatentAttentionConfig(768, 256, 64, 32, 64), c.Latent);
            Assert.Equal((96, 64, 32), (c.HeadDim, c.ValueHeadDim, c.Layers[0].Rope!.RotaryDim));
        }),
    ];
}
