namespace Skiff.Models;

/// <summary>Keys of <c>config.json</c> that do not change what a forward pass computes.</summary>
internal static class HarmlessKeys
{
    private static readonly HashSet<string> Keys =
    [
        // Where the file comes from and how it is loaded.
        "architectures", "auto_map", "_name_or_path", "name_or_path", "transformers_version", "torch_dtype", "dtype", "model_name", "name",
        "use_cache", "return_dict", "output_attentions", "output_hidden_states", "torchscript", "use_bfloat16", "_attn_implementation",
        "_attn_implementation_autoset", "attn_implementation", "attn_config", "gradient_checkpointing", "unsloth_version", "unsloth_fixed", "is_decoder", "is_encoder_decoder",
        "add_cross_attention", "cross_attention_hidden_size", "chunk_size_feed_forward", "cache_implementation", "use_flash_attn", "_flash_attn_2_enabled",
        // Training only: initialisation, dropout, regularisers, parallelism.
        "initializer_range", "init_std", "initializer_cutoff_factor", "attention_dropout", "attention_probs_dropout_prob", "hidden_dropout", "hidden_dropout_prob",
        "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "layerdrop", "activation_dropout", "residual_dropout", "embedding_dropout", "embed_dropout",
        "attn_dropout_prob", "emb_dropout_prob", "classifier_dropout", "router_aux_loss_coef", "router_jitter_noise", "output_router_logits", "pretraining_tp",
        "slow_but_exact", "skip_bias_add", "skip_bias_add_qkv", "bias_dropout_fusion", "masked_softmax_fusion", "offset_alibi",
        "tokenizer_class", "tokenizer_name", "prefix", "task_specific_params", "problem_type", "finetuning_task",
        // Token ids and generation habits: the tokenizer and generation_config.json carry these.
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id",
        "max_length", "min_length", "do_sample", "num_beams", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
        "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "num_beam_groups", "diversity_penalty",
        "early_stopping", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "return_dict_in_generate", "output_scores",
        // Heads for other tasks.
        "id2label", "label2id", "num_labels", "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
        "classifier_activation", "pruned_heads", "tf_legacy_loss", "reorder_and_upcast_attn",
    ];

    public static bool Contains(string key) => Keys.Contains(key) || key.StartsWith('_');
}
