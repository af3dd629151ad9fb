using System.Collections.Frozen;

namespace Skiff.Models;

/// <summary>Keys of <c>config.json</c> that do not change what a forward pass computes, in any family.</summary>
internal static class HarmlessKeys
{
    /// <summary>Keys that may hold anything.</summary>
    public static IReadOnlySet<string> Any { get; } = new[]
    {
        // Where the file comes from and how it is loaded.
        "architectures", "auto_map", "custom_pipelines", "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "transformers.js_config",
        "torch_dtype", "dtype", "model_name", "name", "use_cache", "return_dict", "output_attentions", "output_hidden_states", "torchscript",
        "use_bfloat16", "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "attn_implementation", "_flash_attn_2_enabled",
        "use_flash_attn", "gradient_checkpointing", "unsloth_version", "unsloth_fixed", "is_decoder", "chunk_size_feed_forward", "cache_implementation",
        // Training only: initialisation, dropout, regularisers, parallelism.
        "initializer_range", "initializer_factor", "init_std", "initializer_cutoff_factor", "attention_dropout", "attention_probs_dropout_prob", "hidden_dropout",
        "hidden_dropout_prob", "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "layerdrop", "activation_dropout", "residual_dropout", "embedding_dropout",
        "embed_dropout", "attn_dropout_prob", "emb_dropout_prob", "classifier_dropout", "router_aux_loss_coef", "router_jitter_noise", "output_router_logits",
        "pretraining_tp",
        // How the original kernels were put together; the result is the same but for rounding.
        "slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "bias_dropout_fusion", "masked_softmax_fusion", "attention_softmax_in_fp32", "offset_alibi",
        "reorder_and_upcast_attn",
        // Token ids and generation habits: the tokenizer and generation_config.json carry these.
        "tokenizer_class", "tokenizer_name", "tokenizer_type", "prefix", "task_specific_params", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
        "unk_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "max_length", "max_new_tokens", "min_length", "do_sample",
        "num_beams", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "num_beam_groups", "diversity_penalty", "early_stopping",
        "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "return_dict_in_generate", "output_scores",
        // Heads for other tasks.
        "id2label", "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task", "summary_type", "summary_use_proj", "summary_activation",
        "summary_proj_to_labels", "summary_first_dropout", "classifier_activation", "tf_legacy_loss", "predict_special_tokens",
    }.ToFrozenSet();

    /// <summary>Switches that published files carry at the one value Skiff computes, as JSON text.</summary>
    public static IReadOnlyDictionary<string, string> AtOneValue { get; } = new Dictionary<string, string>
    {
        ["is_encoder_decoder"] = "false",
        ["add_cross_attention"] = "false",
        ["tie_encoder_decoder"] = "false",
        ["pruned_heads"] = "{}",
        ["rope_interleaved"] = "false",
        ["is_llama_config"] = "true",
        ["use_mrope"] = "false",
        ["use_bidirectional_attention"] = "false",
    }.ToFrozenDictionary();

    /// <summary>Keys that say the model is not one Skiff can read, with the mend.</summary>
    public static IReadOnlyDictionary<string, string> Refused { get; } = new Dictionary<string, string>
    {
        ["quantization_config"] = PackedWeights,
        ["compression_config"] = PackedWeights,
        ["quantization"] = PackedWeights,
        ["text_config"] = SeveralModels,
        ["vision_config"] = SeveralModels,
        ["audio_config"] = SeveralModels,
        ["llm_config"] = SeveralModels,
        ["sparse_config"] = "sparse attention is not computed; remove the key for the dense attention that the same weights serve",
    }.ToFrozenDictionary();

    private const string PackedWeights = "the weights are packed in a form Skiff does not read; take the model they were made from, or a .gguf of it";

    private const string SeveralModels = "the model also takes pictures or sound; Skiff reads text models: make its text part a model folder of its own";
}
