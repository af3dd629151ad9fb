using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

/// <summary>Llama and the families that keep its keys.</summary>
internal static class LlamaConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("tinyllama-1.1b", 1_100_048_384, """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 2048,
             "initializer_range": 0.02, "intermediate_size": 5632, "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 32,
             "num_hidden_layers": 22, "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.35.0", "use_cache": true, "vocab_size": 32000}
            """, c =>
        {
            Assert.True(c.Norm.Rms && c.Gated && !c.QkvBias && !c.MlpBias && !c.TieWordEmbeddings);
            Assert.Equal(1e-5, c.Norm.Epsilon);
            Assert.All(c.Layers, l => Assert.Equal((32, 4, 64, 0), (l.Heads, l.KeyValueHeads, l.Rope!.RotaryDim, l.SlidingWindow)));
        }),
        new("smollm2-135m", 134_515_008, """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu",
             "hidden_size": 576, "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192,
             "mlp_bias": false, "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pretraining_tp": 1,
             "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
             "transformers.js_config": {"kv_cache_dtype": {"fp16": "float16"}}, "transformers_version": "4.40.1", "use_cache": true, "vocab_size": 49152}
            """, c =>
        {
            Assert.True(c.TieWordEmbeddings);
            Assert.Equal(100000, c.Layers[0].Rope!.Theta);
        }),
        new("llama-3.2-1b", 1_235_814_400, """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009],
             "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072,
             "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
             "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
             "rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
             "use_cache": true, "vocab_size": 128256}
            """, c =>
        {
            RopeConfig rope = c.Layers[^1].Rope!;
            Assert.Equal((RopeScaling.Llama3, 32.0, 8192), (rope.Scaling, rope.Factor, rope.OriginalMaxPositionEmbeddings));
        }),
        new("llama-3.2-1b saved anew", 1_235_814_400, """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000, "dtype": "bfloat16", "eos_token_id": 128001,
             "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072,
             "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pad_token_id": null,
             "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_parameters": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
             "original_max_position_embeddings": 8192, "rope_theta": 500000.0, "rope_type": "llama3"}, "tie_word_embeddings": true,
             "transformers_version": "5.0.0", "use_cache": true, "vocab_size": 128256}
            """, c => Assert.Null(Difference(PublishedConfig.Named("llama-3.2-1b").Config, c))),
        new("mobilellm-125m", 124_635_456, """
            {"architectures": ["MobileLLMForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "auto_map": {"AutoConfig": "configuration_mobilellm.MobileLLMConfig"},
             "bos_token_id": 1, "eos_token_id": 2, "head_dim": 64, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.02, "intermediate_size": 1536,
             "layer_sharing": false, "max_position_embeddings": 2048, "mlp_bias": false, "model_type": "mobilellm", "num_attention_heads": 9, "num_hidden_layers": 30,
             "num_key_value_heads": 3, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "share_embedding": true,
             "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.41.2", "use_cache": true, "vocab_size": 32000}
            """, c => Assert.True(c.TieWordEmbeddings)),
        new("mistral-7b", 7_241_732_096, """
            {"architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": null, "hidden_act": "silu", "hidden_size": 4096,
             "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32,
             "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false,
             "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0", "use_cache": true, "vocab_size": 32000}
            """, c => Assert.All(c.Layers, l => Assert.Equal(4096, l.SlidingWindow))),
        new("danube2-1.8b", 1_831_201_280, """
            {"architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 2560,
             "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 8192, "model_type": "mistral", "num_attention_heads": 32,
             "num_hidden_layers": 24, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000, "sliding_window": null, "tie_word_embeddings": false,
             "torch_dtype": "bfloat16", "transformers_version": "4.38.2", "use_cache": true, "vocab_size": 32000}
            """, c =>
        {
            Assert.Equal(80, c.HeadDim);
            Assert.All(c.Layers, l => Assert.Equal(0, l.SlidingWindow));
        }),
        new("mixtral-8x7b", 46_702_792_704, """
            {"architectures": ["MixtralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096,
             "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral", "num_attention_heads": 32,
             "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "output_router_logits": false, "rms_norm_eps": 1e-05,
             "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02, "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
             "transformers_version": "4.36.0.dev0", "use_cache": true, "vocab_size": 32000}
            """, c => Assert.Equal((8, 2, 0), (c.NumLocalExperts, c.NumExpertsPerTok, c.Layers[0].SlidingWindow))),
    ];

    /// <summary>The first trait in which two descriptions differ, or null.</summary>
    public static string? Difference(ModelConfig a, ModelConfig b)
    {
        try
        {
            ConfigDifference.Refuse(a, b, "b", "b");
            return null;
        }
        catch (InvalidInputException difference)
        {
            return difference.Field;
        }
    }
}
