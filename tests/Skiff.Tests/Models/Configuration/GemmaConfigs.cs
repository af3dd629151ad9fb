using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

/// <summary>Gemma 1 to 3 and RecurrentGemma.</summary>
internal static class GemmaConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("gemma-2b", 2_506_172_416, """
            {"architectures": ["GemmaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "eos_token_id": 1, "head_dim": 256,
             "hidden_act": "gelu", "hidden_activation": null, "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 16384, "max_position_embeddings": 8192,
             "model_type": "gemma", "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1, "pad_token_id": 0, "rms_norm_eps": 1e-06,
             "rope_scaling": null, "rope_theta": 10000.0, "torch_dtype": "bfloat16", "transformers_version": "4.38.0.dev0", "use_cache": true, "vocab_size": 256000}
            """, c =>
        {
            Assert.Equal((Activation.GeluTanh, 1f, true), (c.HiddenAct, c.Norm.GainOffset, c.TieWordEmbeddings));
            Assert.Equal(Math.Sqrt(2048), c.EmbeddingScale);
        }),
        new("gemma-2-2b", 2_614_341_888, """
            {"architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "bos_token_id": 2,
             "cache_implementation": "hybrid", "eos_token_id": [1, 107], "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
             "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216, "max_position_embeddings": 8192,
             "model_type": "gemma2", "num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256,
             "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "sliding_window_size": 4096, "torch_dtype": "bfloat16",
             "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 256000}
            """, c =>
        {
            Assert.Equal((50.0, 30.0, NormPlacement.Both), (c.AttnLogitSoftcapping, c.FinalLogitSoftcapping, c.NormPlacement));
            Assert.Equal([4096, 0, 4096, 0], c.Layers.Take(4).Select(l => l.SlidingWindow));
        }),
        new("gemma-3-1b", 999_885_952, """
            {"architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2,
             "cache_implementation": "hybrid", "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
             "hidden_size": 1152, "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
             "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
             "rope_local_base_freq": 10000, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
             "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262144}
            """, c =>
        {
            Assert.Equal((0.0, 0.0, QueryKeyNorm.PerHead), (c.AttnLogitSoftcapping, c.FinalLogitSoftcapping, c.QkNorm));
            Assert.Equal([512, 512, 512, 512, 512, 0], c.Layers.Take(6).Select(l => l.SlidingWindow));
            Assert.Equal([1e4, 1e4, 1e4, 1e4, 1e4, 1e6], c.Layers.Take(6).Select(l => l.Rope!.Theta));
        }),
        new("gemma-3-1b saved anew", 999_885_952, $$"""
            {"_sliding_window_pattern": 6, "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null,
             "bos_token_id": 2, "dtype": "bfloat16", "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256,
             "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152, "initializer_range": 0.02, "intermediate_size": 6912,
             "layer_types": {{PublishedConfig.LayerTypes(26, 6)}}, "max_position_embeddings": 32768, "model_type": "gemma3_text", "num_attention_heads": 4,
             "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
             "rope_parameters": {"full_attention": {"rope_theta": 1000000, "rope_type": "default"}, "sliding_attention": {"rope_theta": 10000, "rope_type": "default"} },
             "sliding_window": 512, "transformers_version": "5.0.0", "use_bidirectional_attention": false, "use_cache": true, "vocab_size": 262144}
            """, c => Assert.Null(LlamaConfigs.Difference(PublishedConfig.Named("gemma-3-1b").Config, c))),
        new("recurrentgemma-2b", 2_682_862_080, """
            {"_block_types": ["recurrent", "recurrent", "attention"], "architectures": ["RecurrentGemmaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "attention_window_size": 2048, "bos_token_id": 2, "conv1d_width": 4, "embeddings_scale_by_sqrt_dim": true, "eos_token_id": 1,
             "final_w_init_variance_scale": 0.07692307692307693, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2560,
             "intermediate_size": 15360, "logits_soft_cap": 30.0, "lru_width": 2560, "model_type": "recurrent_gemma", "num_attention_heads": 10,
             "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
             "torch_dtype": "float32", "transformers_version": "4.40.0.dev0", "use_cache": true, "vocab_size": 256000, "w_init_variance_scale": 0.01}
            """, c =>
        {
            Assert.Equal(8, c.Layers.Count(l => l.Kind == LayerKind.Attention));
            Assert.Equal((7680, 2049, 128), (c.Layers[2].IntermediateSize, c.Layers[2].SlidingWindow, c.Layers[2].Rope!.RotaryDim));
            Assert.Equal(50.5, c.EmbeddingScale);
        }),
    ];
}
