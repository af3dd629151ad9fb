using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>GGUF metadata as the config.json it came from, in the keys of the family that its architecture stands for.</summary>
internal static class GgufConfigReader
{
    public static ModelConfig Read(GgufMetadata metadata, IReadOnlyDictionary<string, TensorEntry> tensors, string source)
    {
        if (metadata.TryGet(GgufConfigWriter.ConfigJsonKey, out string? whole) && whole is not null)
            return ModelConfig.Parse(Encoding.UTF8.GetBytes(whole), source);
        string arch = metadata.String("general.architecture");
        ModelFamily family = FamilyOf(arch, metadata, source);
        JsonObject json = new()
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["model_type"] = family.ModelType,
            [family.NameOf("tie_word_embeddings")] = !tensors.ContainsKey("output.weight"),
        };
        if (tensors.TryGetValue("token_embd.weight", out TensorEntry? embedding))
            json["vocab_size"] = embedding.Shape[0];
        long hidden = Whole("embedding_length"), heads = First("attention.head_count");
        Set("hidden_size", hidden);
        Set("num_hidden_layers", Whole("block_count"));
        Set("max_position_embeddings", Whole("context_length"));
        if (family.ModelType == "openelm")
            ReadOpenElm();
        else
        {
            Set("num_attention_heads", heads);
            Set("intermediate_size", FeedForward());
            if (Has("attention.head_count_kv") && (First("attention.head_count_kv") != heads || family.StatesKeyValueHeads))
                Set("num_key_value_heads", First("attention.head_count_kv"));
        }

        if (metadata.TryGet(GgufConfigWriter.AnchorsKey, out string? anchors) && anchors is not null)
            json["anchors"] = ConfigReader.ParseObject(Encoding.UTF8.GetBytes(anchors), source);
        if (Has("attention.key_length") && family.ModelType != "minicpm3" && (Whole("attention.key_length") * heads != hidden || family.StatesHeadDim))
            Set("head_dim", Whole("attention.key_length"));
        string epsilon = Has("attention.layer_norm_rms_epsilon") && !Has("attention.layer_norm_epsilon") ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
        if (Has(epsilon) && family.NormKey is { } normKey)
            Set(normKey, Number(epsilon));
        ReadBiases();
        ReadTraits();
        ReadRope();
        return ModelConfig.Parse(json, source);

        bool Has(string key) => metadata.Contains($"{arch}.{key}");
        long Whole(string key) => metadata.Int($"{arch}.{key}");
        long First(string key) => metadata[$"{arch}.{key}"] is Array ? metadata.Array<long>($"{arch}.{key}").FirstOrDefault() : Whole(key);
        void Set(string key, JsonNode? value) => json[family.NameOf(key)] = value;

        // The shortest decimal that rounds to the stored single: 1e-05, not 9.999999747378752e-06.
        double Number(string key) => double.Parse(metadata.Float($"{arch}.{key}").ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

        // llama.cpp's converter writes four times the width for GPT-2 and Phi whatever the tensors are.
        long FeedForward() => family.ModelType is "gpt2" or "phi" && tensors.TryGetValue("blk.0.ffn_up.weight", out TensorEntry? up)
            ? up.Shape[0]
            : First("feed_forward_length");

        void Copy(string from, string to)
        {
            if (Has(from))
                Set(to, metadata[$"{arch}.{from}"] is float ? Number(from) : Whole(from));
        }

        void ReadOpenElm()
        {
            json["head_dim"] = Whole("attention.key_length");
            json["num_query_heads"] = List("attention.head_count");
            json["num_kv_heads"] = List("attention.head_count_kv");
            // Widths are stored as made; a divisor of 1 keeps them.
            json["ffn_dim_divisor"] = 1;
            json["normalize_qk_projections"] = tensors.ContainsKey("blk.0.attn_q_norm.weight");
            json["ffn_multipliers"] = new JsonArray([.. metadata.Array<long>($"{arch}.feed_forward_length").Select(f => (JsonNode)((double)f / hidden))]);
            JsonArray List(string key) => new([.. metadata.Array<long>($"{arch}.{key}").Select(v => (JsonNode)v)]);
        }

        // GGUF says nothing of biases: they are there or not.
        void ReadBiases()
        {
            if (family.ModelType is "llama" or "qwen3" or "minicpm" or "gemma" or "gemma2" or "gemma3_text" or "olmo" or "olmo2" or "nemotron" or "stablelm")
                Set("attention_bias", tensors.ContainsKey("blk.0.attn_q.bias"));
            if (family.ModelType is "llama" or "nemotron")
                Set("mlp_bias", tensors.ContainsKey("blk.0.ffn_up.bias"));
            if (family.ModelType is "phi" or "stablelm")
                Set("qk_layernorm", tensors.ContainsKey("blk.0.attn_q_norm.weight"));
        }

        void ReadTraits()
        {
            if (metadata.TryGet(GgufConfigWriter.ActivationKey, out string? activation))
                Set("hidden_act", activation);
            Copy("expert_count", "num_local_experts");
            Copy("expert_used_count", "num_experts_per_tok");
            Copy("attn_logit_softcapping", "attn_logit_softcapping");
            Copy("final_logit_softcapping", "final_logit_softcapping");
            Copy("attention.clamp_kqv", "clip_qkv");
            if (Has("attention.sliding_window") && Whole("attention.sliding_window") > 0)
                Set("sliding_window", Whole("attention.sliding_window"));
            if (Has("use_parallel_residual"))
                Set("use_parallel_residual", metadata.Bool($"{arch}.use_parallel_residual"));
            // llama.cpp scales by the head's width in these families.
            if (family.ModelType is "gemma2" or "gemma3_text")
                Set("query_pre_attn_scalar", Whole("attention.key_length"));
            if (family.ModelType is "gemma2")
            {
                json["attn_logit_softcapping"] ??= null;
                json["final_logit_softcapping"] ??= null;
            }

            if (family.ModelType is "minicpm")
            {
                Set("scale_emb", Has("embedding_scale") ? Number("embedding_scale") : 12.0);
                double residual = Has("residual_scale") ? Number("residual_scale") : 1.4 / Math.Sqrt(Whole("block_count"));
                Set("scale_depth", Math.Round(residual * Math.Sqrt(Whole("block_count")), 6));
                Set("dim_model_base", Has("logit_scale") ? Math.Round(hidden / Number("logit_scale"), 3) : 256);
            }

            if (family.ModelType is "minicpm3")
            {
                // llama.cpp builds these three into its MiniCPM3.
                Set("scale_emb", 12);
                Set("scale_depth", 1.4);
                Set("dim_model_base", 256);
                Copy("attention.q_lora_rank", "q_lora_rank");
                Copy("attention.kv_lora_rank", "kv_lora_rank");
                Set("qk_rope_head_dim", Whole("rope.dimension_count"));
                Set("qk_nope_head_dim", Whole("attention.key_length") - Whole("rope.dimension_count"));
                Set("v_head_dim", Has("attention.value_length") ? Whole("attention.value_length") : hidden / heads);
            }

            if (family.ModelType is "qwen")
            {
                Set("seq_length", Whole("context_length"));
                Set("use_dynamic_ntk", false);
                Set("use_logn_attn", false);
            }
        }

        void ReadRope()
        {
            if (!family.Rotary)
                return;
            if (Has("rope.freq_base"))
                Set("rope_theta", Number("rope.freq_base"));
            if (Has("rope.freq_base_swa") && family.ModelType == "gemma3_text")
                json["rope_local_base_freq"] = Number("rope.freq_base_swa");
            long headDim = Has("attention.key_length") ? Whole("attention.key_length") : heads > 0 ? hidden / heads : 0;
            if (Has("rope.dimension_count") && family.ModelType != "minicpm3" && headDim > 0 && Whole("rope.dimension_count") != headDim)
                Set("partial_rotary_factor", (double)Whole("rope.dimension_count") / headDim);
            else if (Has("rope.dimension_count") && family.StatesRotaryShare)
                Set("partial_rotary_factor", 1.0);
            if (Has("rope.scaling.type") && metadata.String($"{arch}.rope.scaling.type") is "linear" or "yarn")
            {
                JsonObject scaling = new() { ["rope_type"] = metadata.String($"{arch}.rope.scaling.type"), ["factor"] = Number("rope.scaling.factor") };
                if (Has("rope.scaling.original_context_length"))
                    scaling["original_max_position_embeddings"] = Whole("rope.scaling.original_context_length");
                json["rope_scaling"] = scaling;
            }

            // Factors for each frequency, whatever rule they came from.
            bool always = tensors.TryGetValue("rope_freqs.weight", out TensorEntry? factors);
            if (!always && !tensors.TryGetValue("rope_factors_short.weight", out factors))
                return;
            json["rope_scaling"] = new JsonObject
            {
                ["rope_type"] = "longrope",
                ["short_factor"] = Values(factors!),
                ["long_factor"] = Values(always ? factors! : tensors["rope_factors_long.weight"]),
                ["attention_factor"] = Has("rope.scaling.attn_factor") ? Number("rope.scaling.attn_factor") : 1.0,
                ["original_max_position_embeddings"] = Has("rope.scaling.original_context_length") ? Whole("rope.scaling.original_context_length") : Whole("context_length"),
            };

            static JsonArray Values(TensorEntry entry)
            {
                Tensor tensor = entry.Load();
                float[] values = new float[tensor.Columns];
                tensor.ReadRow(0, values);
                return new JsonArray([.. values.Select(v => (JsonNode)double.Parse(v.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))]);
            }
        }
    }

    private static ModelFamily FamilyOf(string arch, GgufMetadata metadata, string source)
    {
        string type = arch switch
        {
            "llama" when metadata.TryGet("llama.expert_count", out long experts) && experts > 0 => "mixtral",
            "llama" when metadata.TryGet("llama.attention.sliding_window", out long window) && window > 0 => "mistral",
            "llama" => "llama",
            _ => ModelFamily.ByType.Values.FirstOrDefault(f => f.Gguf.Architecture == arch)?.ModelType ?? "",
        };
        return ModelFamily.ByType.TryGetValue(type, out ModelFamily? family)
            ? family
            : throw new InvalidInputException(source, "general.architecture",
                $"'{arch}' is not known; Skiff knows {string.Join(", ", ModelFamily.ByType.Values.Select(f => f.Gguf.Architecture).Distinct().Order())}");
    }
}
