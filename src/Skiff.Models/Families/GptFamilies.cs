using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>GPT-2, GPT-NeoX (Pythia, Dolly), BLOOM and OPT: LayerNorm with bias, plain feed-forward.</summary>
internal static class GptFamilies
{
    private static FamilyDefaults LayerNorm { get; } = new() { NormKey = "layer_norm_eps", Rms = false, Epsilon = 1e-5 };

    private static readonly TensorNames NeoXBlock = new()
    {
        OptionalPrefix = "gpt_neox.",
        LayerPrefix = "gpt_neox.layers.{l}.",
        Modules = new Dictionary<string, string>
        {
            ["embedding"] = "gpt_neox.embed_in",
            ["final_norm"] = "gpt_neox.final_layer_norm",
            ["head"] = "embed_out",
            ["attention_norm"] = "input_layernorm",
            ["feed_forward_norm"] = "post_attention_layernorm",
            ["output"] = "attention.dense",
            ["up"] = "mlp.dense_h_to_4h",
            ["down"] = "mlp.dense_4h_to_h",
        },
        Fused = [new("attention.query_key_value", ["query", "key", "value"], Fusion.HeadByHead)],
        NotParameters = ["rotary_emb.inv_freq", "attention.bias", "attention.masked_bias"],
    };

    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new()
        {
            ModelType = "gpt2",
            Architecture = "GPT2LMHeadModel",
            KeyNames = new Dictionary<string, string>
            {
                ["hidden_size"] = "n_embd", ["num_hidden_layers"] = "n_layer", ["num_attention_heads"] = "n_head", ["intermediate_size"] = "n_inner",
                ["max_position_embeddings"] = "n_positions", ["layer_norm_eps"] = "layer_norm_epsilon", ["hidden_act"] = "activation_function",
            },
            Harmless = new HashSet<string> { "n_ctx" },
            AtOneValue = new Dictionary<string, string> { ["n_special"] = "0" },
            NormKey = "layer_norm_eps",
            Rotary = false,
            Describe = DescribeGpt2,
            Tensors = new()
            {
                OptionalPrefix = "transformer.",
                LayerPrefix = "transformer.h.{l}.",
                Modules = new Dictionary<string, string>
                {
                    ["embedding"] = "transformer.wte", ["position_embedding"] = "transformer.wpe", ["final_norm"] = "transformer.ln_f", ["head"] = "lm_head",
                    ["attention_norm"] = "ln_1", ["feed_forward_norm"] = "ln_2", ["output"] = "attn.c_proj", ["up"] = "mlp.c_fc", ["down"] = "mlp.c_proj",
                },
                Fused = [new("attn.c_attn", ["query", "key", "value"])],
                Transposed = ["query", "key", "value", "output", "up", "down"],
                NotParameters = ["attn.bias", "attn.masked_bias"],
            },
            Gguf = new("gpt2") { Fused = [GgufFamily.AttentionQkv] },
        },
        new()
        {
            ModelType = "gpt_neox",
            Architecture = "GPTNeoXForCausalLM",
            KeyNames = new Dictionary<string, string> { ["rope_theta"] = "rotary_emb_base", ["partial_rotary_factor"] = "rotary_pct" },
            OtherNames = new Dictionary<string, string[]> { ["rope_theta"] = ["rope_theta"], ["partial_rotary_factor"] = ["partial_rotary_factor"] },
            NormKey = "layer_norm_eps",
            StatesRotaryShare = true,
            Describe = r =>
            {
                bool bias = r.Bool("attention_bias", true);
                return StandardKeys.Read(r, LayerNorm with { Activation = "gelu", RotaryShare = 0.25 }) with
                {
                    UseParallelResidual = r.Bool("use_parallel_residual", true),
                    QkvBias = bias,
                    AttentionOutputBias = bias,
                    MlpBias = true,
                    Gated = false,
                };
            },
            Tensors = NeoXBlock,
            Gguf = new("gptneox") { Fused = [GgufFamily.AttentionQkv] },
        },
        new()
        {
            ModelType = "bloom",
            Architecture = "BloomForCausalLM",
            KeyNames = new Dictionary<string, string>
            {
                ["num_hidden_layers"] = "n_layer", ["num_attention_heads"] = "n_head", ["max_position_embeddings"] = "seq_length",
                ["layer_norm_eps"] = "layer_norm_epsilon",
            },
            // The first files of the family and those of today disagree on these.
            OtherNames = new Dictionary<string, string[]>
            {
                ["hidden_size"] = ["n_embed"], ["num_hidden_layers"] = ["num_hidden_layers"], ["num_attention_heads"] = ["num_attention_heads"],
            },
            Harmless = new HashSet<string> { "n_inner" },
            NormKey = "layer_norm_eps",
            Rotary = false,
            Describe = DescribeBloom,
            Tensors = NeoXBlock with
            {
                OptionalPrefix = "transformer.",
                LayerPrefix = "transformer.h.{l}.",
                Modules = new Dictionary<string, string>(NeoXBlock.Modules)
                {
                    ["embedding"] = "transformer.word_embeddings", ["embedding_norm"] = "transformer.word_embeddings_layernorm",
                    ["final_norm"] = "transformer.ln_f", ["head"] = "lm_head", ["output"] = "self_attention.dense",
                },
                Fused = [new("self_attention.query_key_value", ["query", "key", "value"], Fusion.HeadByHead)],
            },
            Gguf = new("bloom") { Fused = [GgufFamily.AttentionQkv] },
        },
        new()
        {
            ModelType = "opt",
            Architecture = "OPTForCausalLM",
            KeyNames = new Dictionary<string, string> { ["intermediate_size"] = "ffn_dim", ["hidden_act"] = "activation_function" },
            AtOneValue = new Dictionary<string, string> { ["learned_embeddings"] = "true", ["scale_embeddings"] = "false" },
            NormKey = "layer_norm_eps",
            Rotary = false,
            Describe = DescribeOpt,
            Tensors = new()
            {
                OptionalPrefix = "model.",
                LayerPrefix = "model.decoder.layers.{l}.",
                Modules = new Dictionary<string, string>
                {
                    ["embedding"] = "model.decoder.embed_tokens", ["position_embedding"] = "model.decoder.embed_positions",
                    ["embedding_projection"] = "model.decoder.project_in", ["output_projection"] = "model.decoder.project_out",
                    ["final_norm"] = "model.decoder.final_layer_norm", ["head"] = "lm_head",
                    ["attention_norm"] = "self_attn_layer_norm", ["feed_forward_norm"] = "final_layer_norm",
                    ["post_attention_norm"] = "self_attn_layer_norm", ["post_feed_forward_norm"] = "final_layer_norm",
                    ["query"] = "self_attn.q_proj", ["key"] = "self_attn.k_proj", ["value"] = "self_attn.v_proj", ["output"] = "self_attn.out_proj",
                    ["up"] = "fc1", ["down"] = "fc2",
                },
            },
            Gguf = new("opt") { KnownToLlamaCpp = false },
        },
    ];

    private static ModelConfig DescribeGpt2(ConfigReader r)
    {
        ModelConfig config = StandardKeys.Read(r, LayerNorm with
        {
            Activation = "gelu_new",
            FeedForwardFactor = 4,
            MaxPositions = 1024,
            Position = PositionKind.Learned,
            Tied = true,
        });
        return config with
        {
            AttentionScale = r.Bool("scale_attn_weights", true) ? config.AttentionScale : 1,
            ScaleAttnByInverseLayerIdx = r.Bool("scale_attn_by_inverse_layer_idx", false),
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
            Gated = false,
        };
    }

    private static ModelConfig DescribeBloom(ConfigReader r)
    {
        return StandardKeys.Read(r, LayerNorm with { FeedForwardFactor = 4, Position = PositionKind.Alibi, Tied = true }) with
        {
            HiddenAct = Activation.GeluTanh,
            EmbeddingNorm = true,
            ApplyResidualConnectionPostLayernorm = r.Bool("apply_residual_connection_post_layernorm", false),
            QkvBias = true,
            AttentionOutputBias = true,
            MlpBias = true,
            Gated = false,
        };
    }

    private static ModelConfig DescribeOpt(ConfigReader r)
    {
        bool bias = r.Bool("enable_bias", true), before = r.Bool("do_layer_norm_before", true), noFinalNorm = r.Bool("_remove_final_layer_norm", false);
        ModelConfig config = StandardKeys.Read(r, LayerNorm with { Activation = "relu", Position = PositionKind.Learned, Tied = true });
        if (!r.Bool("layer_norm_elementwise_affine", true))
            config = config with { Norm = config.Norm with { Gain = false, Bias = false } };
        return config with
        {
            WordEmbedProjDim = r.Size("word_embed_proj_dim", config.HiddenSize),
            PositionOffset = 2,
            NormPlacement = before ? NormPlacement.Before : NormPlacement.AfterResidual,
            FinalNorm = before && !noFinalNorm,
            QkvBias = bias,
            AttentionOutputBias = bias,
            MlpBias = bias,
            Gated = false,
        };
    }
}
