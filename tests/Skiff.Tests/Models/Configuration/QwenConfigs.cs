using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

/// <summary>Qwen 1 to 3.</summary>
internal static class QwenConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("qwen-1.8b", 1_836_828_672, """
            {"architectures": ["QWenLMHeadModel"], "auto_map": {"AutoConfig": "configuration_qwen.QWenConfig"}, "attn_dropout_prob": 0.0, "bf16": false,
             "emb_dropout_prob": 0.0, "fp16": false, "fp32": false, "hidden_size": 2048, "intermediate_size": 11008, "initializer_range": 0.02, "kv_channels": 128,
             "layer_norm_epsilon": 1e-06, "max_position_embeddings": 8192, "model_type": "qwen", "no_bias": true, "num_attention_heads": 16, "num_hidden_layers": 24,
             "onnx_safe": null, "rotary_emb_base": 10000, "rotary_pct": 1.0, "scale_attn_weights": true, "seq_length": 8192, "softmax_in_fp32": false,
             "tie_word_embeddings": false, "tokenizer_class": "QWenTokenizer", "transformers_version": "4.32.0", "use_cache": true, "use_cache_kernel": false,
             "use_cache_quantization": false, "use_dynamic_ntk": true, "use_flash_attn": "auto", "use_logn_attn": true, "vocab_size": 151936}
            """, c =>
        {
            Assert.True(c.QkvBias && !c.AttentionOutputBias);
            Assert.Equal((5504, RopeScaling.None, 0), (c.Layers[0].IntermediateSize, c.Layers[0].Rope!.Scaling, c.LogAttentionLength));
        }),
        new("qwen-7b of the first days", 7_721_324_544, """
            {"activation": "swiglu", "apply_residual_connection_post_layernorm": false, "architectures": ["QWenLMHeadModel"], "attn_pdrop": 0.0, "bf16": false, "fp16": false,
             "fp32": false, "bias_dropout_fusion": true, "bos_token_id": 151643, "embd_pdrop": 0.0, "eos_token_id": 151643, "ffn_hidden_size": 22016,
             "initializer_range": 0.02, "kv_channels": 128, "layer_norm_epsilon": 1e-06, "model_type": "qwen", "n_embd": 4096, "n_head": 32, "n_layer": 32,
             "n_positions": 6144, "no_bias": true, "onnx_safe": null, "padded_vocab_size": 151936, "params_dtype": "torch.bfloat16", "pos_emb": "rotary",
             "resid_pdrop": 0.1, "rotary_emb_base": 10000, "rotary_pct": 1.0, "scale_attn_weights": true, "seq_length": 2048, "tie_word_embeddings": false,
             "tokenizer_type": "QWenTokenizer", "transformers_version": "4.31.0", "use_cache": true, "use_flash_attn": "auto", "vocab_size": 151936,
             "use_dynamic_ntk": true, "use_logn_attn": true}
            """, c => Assert.Equal((6144, RopeScaling.QwenDynamic, 2048), (c.MaxPositionEmbeddings, c.Layers[0].Rope!.Scaling, c.LogAttentionLength))),
        new("qwen2.5-0.5b", 494_032_768, """
            {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896,
             "initializer_range": 0.02, "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2",
             "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
             "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.40.1", "use_cache": true, "use_mrope": false, "use_sliding_window": false,
             "vocab_size": 151936}
            """, c =>
        {
            Assert.True(c.QkvBias && !c.AttentionOutputBias && c.TieWordEmbeddings);
            Assert.All(c.Layers, l => Assert.Equal(0, l.SlidingWindow));
        }),
        new("qwen2.5-0.5b saved anew", 494_032_768, $$"""
            {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "dtype": "bfloat16", "eos_token_id": 151643, "hidden_act": "silu",
             "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864, "layer_types": {{PublishedConfig.LayerTypes(24, 1)}},
             "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
             "num_key_value_heads": 2, "pad_token_id": null, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
             "sliding_window": null, "tie_word_embeddings": true, "transformers_version": "5.0.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936}
            """, c => Assert.Null(LlamaConfigs.Difference(PublishedConfig.Named("qwen2.5-0.5b").Config, c))),
        new("qwen3-0.6b", 596_049_920, """
            {"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128,
             "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
             "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null,
             "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
             "use_sliding_window": false, "vocab_size": 151936}
            """, c => Assert.Equal((128, QueryKeyNorm.PerHead, false), (c.HeadDim, c.QkNorm, c.QkvBias))),
    ];
}
