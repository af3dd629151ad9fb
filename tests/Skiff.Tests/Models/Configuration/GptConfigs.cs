using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

/// <summary>GPT-2, GPT-NeoX, BLOOM and OPT.</summary>
internal static class GptConfigs
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
    [
        new("gpt2", 124_439_808, """
            {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256,
             "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
             "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
             "summary_use_proj": true, "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "vocab_size": 50257}
            """, c => Assert.Equal((PositionKind.Learned, Activation.GeluTanh, true), (c.Position, c.HiddenAct, c.TieWordEmbeddings))),
        new("gpt2-medium", 354_823_168, """
            {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256,
             "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 1024, "n_head": 16, "n_layer": 24, "n_positions": 1024,
             "n_special": 0, "predict_special_tokens": true, "resid_pdrop": 0.1, "vocab_size": 50257}
            """, c => Assert.Equal(4096, c.Layers[0].IntermediateSize)),
        new("distilgpt2", 81_912_576, """
            {"_num_labels": 1, "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1,
             "eos_token_id": 50256, "id2label": {"0": "LABEL_0"}, "initializer_range": 0.02, "label2id": {"LABEL_0": 0}, "layer_norm_epsilon": 1e-05,
             "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_inner": null, "n_layer": 6, "n_positions": 1024, "reorder_and_upcast_attn": false,
             "resid_pdrop": 0.1, "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true, "transformers_version": "4.12.0.dev0", "use_cache": true,
             "vocab_size": 50257}
            """, c => Assert.Equal(1 / Math.Sqrt(64), c.AttentionScale)),
        new("cerebras-gpt-111m", 111_050_496, """
            {"activation_function": "gelu", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.0, "bos_token_id": 50256, "embd_pdrop": 0.0, "eos_token_id": 50256,
             "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 10,
             "n_positions": 2048, "reorder_and_upcast_attn": false, "resid_pdrop": 0.0, "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true,
             "torch_dtype": "float32", "transformers_version": "4.25.1", "use_cache": true, "vocab_size": 50257}
            """, c => Assert.Equal(Activation.Gelu, c.HiddenAct)),
        new("pythia-160m", 162_322_944, """
            {"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "classifier_dropout": 0.1, "eos_token_id": 0, "hidden_act": "gelu", "hidden_size": 768,
             "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "gpt_neox",
             "num_attention_heads": 12, "num_hidden_layers": 12, "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "float16",
             "transformers_version": "4.24.0", "use_cache": true, "use_parallel_residual": true, "vocab_size": 50304}
            """, c =>
        {
            Assert.True(c.UseParallelResidual && !c.SharedParallelNorm && !c.TieWordEmbeddings);
            Assert.Equal(16, c.Layers[0].Rope!.RotaryDim);
        }),
        new("pythia-160m saved anew", 162_322_944, """
            {"architectures": ["GPTNeoXForCausalLM"], "attention_bias": true, "attention_dropout": 0.0, "bos_token_id": 0, "dtype": "float16", "eos_token_id": 0,
             "hidden_act": "gelu", "hidden_dropout": 0.0, "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072, "is_decoder": false,
             "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "gpt_neox", "num_attention_heads": 12, "num_hidden_layers": 12,
             "rope_parameters": {"partial_rotary_factor": 0.25, "rope_theta": 10000, "rope_type": "default"}, "tie_word_embeddings": false,
             "transformers_version": "5.0.0", "use_cache": true, "use_parallel_residual": true, "vocab_size": 50304}
            """, c => Assert.Null(LlamaConfigs.Difference(PublishedConfig.Named("pythia-160m").Config, c))),
        new("dolly-v2-3b", 2_775_086_080, """
            {"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "custom_pipelines": {"text-generation": {"impl": "instruct_pipeline.InstructionTextGenerationPipeline"}},
             "eos_token_id": 0, "hidden_act": "gelu", "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 10240, "layer_norm_eps": 1e-05,
             "max_position_embeddings": 2048, "model_type": "gpt_neox", "num_attention_heads": 32, "num_hidden_layers": 32, "partial_rotary_factor": 0.25,
             "rope_theta": 10000, "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
             "transformers_version": "4.25.1", "use_cache": true, "use_parallel_residual": true, "vocab_size": 50280}
            """, c => Assert.Equal(20, c.Layers[0].Rope!.RotaryDim)),
        new("bloom-560m", 559_214_592, """
            {"apply_residual_connection_post_layernorm": false, "architectures": ["BloomForCausalLM"], "attention_dropout": 0.0, "attention_softmax_in_fp32": true,
             "bias_dropout_fusion": true, "bos_token_id": 1, "eos_token_id": 2, "hidden_dropout": 0.0, "hidden_size": 1024, "initializer_range": 0.02,
             "layer_norm_epsilon": 1e-05, "masked_softmax_fusion": true, "model_type": "bloom", "n_head": 16, "n_inner": null, "n_layer": 24, "offset_alibi": 100,
             "pad_token_id": 3, "pretraining_tp": 1, "seq_length": 2048, "skip_bias_add": true, "skip_bias_add_qkv": false, "slow_but_exact": false,
             "transformers_version": "4.20.0", "unk_token_id": 0, "use_cache": true, "vocab_size": 250880}
            """, c => Assert.Equal((PositionKind.Alibi, true, true), (c.Position, c.EmbeddingNorm, c.TieWordEmbeddings))),
        new("bloom-560m of the first days", 559_214_592, """
            {"apply_residual_connection_post_layernorm": false, "architectures": ["BloomModel"], "attention_dropout": 0.0, "attention_softmax_in_fp32": true,
             "bias_dropout_fusion": true, "bos_token_id": 1, "eos_token_id": 2, "hidden_dropout": 0.0, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
             "masked_softmax_fusion": true, "model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16, "offset_alibi": 100, "pad_token_id": 3,
             "pretraining_tp": 1, "skip_bias_add": true, "skip_bias_add_qkv": false, "slow_but_exact": false, "unk_token_id": 0, "vocab_size": 250880}
            """, c => Assert.Null(LlamaConfigs.Difference(PublishedConfig.Named("bloom-560m").Config, c))),
        new("opt-350m", 331_196_416, """
            {"_remove_final_layer_norm": false, "activation_dropout": 0.0, "activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0,
             "bos_token_id": 2, "do_layer_norm_before": false, "dropout": 0.1, "eos_token_id": 2, "ffn_dim": 4096, "hidden_size": 1024, "init_std": 0.02,
             "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "opt", "num_attention_heads": 16, "num_hidden_layers": 24, "pad_token_id": 1,
             "prefix": "</s>", "torch_dtype": "float16", "transformers_version": "4.20.0.dev0", "use_cache": true, "vocab_size": 50272, "word_embed_proj_dim": 512}
            """, c => Assert.Equal((NormPlacement.AfterResidual, false, 512, 2), (c.NormPlacement, c.FinalNorm, c.WordEmbedProjDim, c.PositionOffset))),
        new("galactica-125m", 124_947_456, """
            {"_remove_final_layer_norm": false, "activation_function": "gelu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.1, "bos_token_id": 0,
             "do_layer_norm_before": true, "dropout": 0.1, "enable_bias": false, "eos_token_id": 2, "ffn_dim": 3072, "hidden_size": 768, "init_std": 0.02,
             "layerdrop": 0.0, "learned_embeddings": true, "max_position_embeddings": 2048, "model_type": "opt", "num_attention_heads": 12, "num_hidden_layers": 12,
             "pad_token_id": 1, "scale_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.21.0.dev0", "use_cache": true, "vocab_size": 50000,
             "word_embed_proj_dim": 768}
            """, c => Assert.False(c.QkvBias || c.MlpBias || c.AttentionOutputBias)),
    ];
}
