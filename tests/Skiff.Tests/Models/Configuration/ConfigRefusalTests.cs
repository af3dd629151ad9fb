using System.Text;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

/// <summary>What cannot be computed is refused in one line that names the file, the key and the problem.</summary>
public sealed class ConfigRefusalTests
{
    [Theory]
    [InlineData("", "line 1", "not valid JSON")]
    [InlineData("{", "line 1", "not valid JSON")]
    [InlineData("[]", "file", "must hold a JSON object")]
    [InlineData("null", "file", "must hold a JSON object")]
    [InlineData("\uFEFF{}", "file", "byte order mark")]
    [InlineData("{} {}", "line 1", "not valid JSON")]
    [InlineData("{\"\\ud800\": 1}", "file", "not valid JSON")]
    [InlineData("{\n\"a\": NaN}", "line 2", "not valid JSON")]
    [InlineData("{\"vocab_size\": 1,\n\"vocab_size\": 2}", "file", "vocab_size")]
    [InlineData("{}", "model_type", "is missing")]
    [InlineData("{\"architectures\": [\"NobodyForCausalLM\"]}", "model_type", "is missing")]
    [InlineData("{\"architectures\": \"LlamaForCausalLM\"}", "architectures", "a list of strings")]
    [InlineData("{\"model_type\": 3}", "model_type", "must be a string")]
    [InlineData("{\"model_type\": \"gemma3\", \"text_config\": {}, \"vision_config\": {}}", "text_config", "Skiff reads text models")]
    public void FilesThatAreNoConfig(string text, string field, string problem) => Refuses(Encoding.UTF8.GetBytes(text), field, problem);

    [Fact]
    public void NamesThatAreNoText() => Refuses([.. "{\"a\": {\""u8, 0xCB, .. "\": 1}}"u8], "file", "not valid JSON");

    [Fact]
    public void DeepNesting() => Refuses(Encoding.UTF8.GetBytes("{\"a\": " + new string('[', 100_000)), "line 1", "not valid JSON");

    [Fact]
    public void AnUnknownFamilyListsTheKnown() =>
        Refuses("{\"model_type\": \"mamba\"}"u8.ToArray(), "model_type", "'mamba' is not known; Skiff knows bloom, gemma, gemma2");

    [Theory]
    // Wrong kinds.
    [InlineData("hidden_size", "\"2048\"", "must be a whole number")]
    [InlineData("hidden_size", "2048.5", "whole number from 1")]
    [InlineData("hidden_size", "[2048]", "must be a whole number")]
    [InlineData("hidden_size", "null", "is missing")]
    [InlineData("rms_norm_eps", "\"small\"", "must be a number")]
    [InlineData("attention_bias", "0", "true or false")]
    [InlineData("hidden_act", "true", "must be a string")]
    [InlineData("rope_scaling", "\"linear\"", "must be an object")]
    // Wrong values.
    [InlineData("vocab_size", "-1", "whole number from 1")]
    [InlineData("vocab_size", "0", "whole number from 1")]
    [InlineData("vocab_size", "1e999", "no usable number")]
    [InlineData("vocab_size", "99999999999999999999", "whole number from 1 to 268435456")]
    [InlineData("num_hidden_layers", "100000", "above 1024")]
    [InlineData("num_key_value_heads", "5", "does not divide num_attention_heads 32")]
    [InlineData("num_attention_heads", "3", "does not divide hidden_size 2048")]
    [InlineData("head_dim", "63", "must be even")]
    [InlineData("head_dim", "100000", "above 65536")]
    [InlineData("rms_norm_eps", "-1e-5", "must be above 0")]
    [InlineData("rms_norm_eps", "1e999", "no usable number")]
    [InlineData("rope_theta", "0", "must be above 0")]
    [InlineData("partial_rotary_factor", "1e20", "would be rotated")]
    [InlineData("hidden_act", "\"mish\"", "'mish' is not known; silu, gelu")]
    // Arithmetic that Skiff does not have.
    [InlineData("attention_multiplier", "0.5", "is not a key Skiff knows for model_type llama")]
    [InlineData("alibi", "true", "is not a key Skiff knows")]
    [InlineData("_block_types", "[\"recurrent\"]", "is not a key Skiff knows")]
    [InlineData("rope_interleaved", "true", "true is not supported, only false")]
    [InlineData("add_cross_attention", "true", "true is not supported, only false")]
    [InlineData("quantization_config", "{\"quant_method\": \"gptq\", \"bits\": 4}", "packed")]
    [InlineData("quantization", "{\"group_size\": 64, \"bits\": 4}", "packed")]
    [InlineData("sparse_config", "{\"topk\": 64}", "remove the key for the dense attention")]
    public void KeysThatCannotBeHonoured(string key, string value, string problem) => Refuses(Edited("tinyllama-1.1b", key, value), key, problem);

    [Theory]
    [InlineData("{\"rope_type\": \"ntk\", \"factor\": 2.0}", "rope_scaling.rope_type", "'ntk' is not known; default, linear")]
    [InlineData("{\"type\": \"linear\"}", "rope_scaling.factor", "is missing")]
    [InlineData("{\"type\": \"dynamic\", \"factor\": -2}", "rope_scaling.factor", "must be above 0")]
    [InlineData("{\"type\": \"linear\", \"factor\": 2.0, \"mrope_section\": [1, 1, 2]}", "rope_scaling.mrope_section", "is not a key Skiff knows")]
    [InlineData("{\"type\": \"llama3\", \"factor\": 8}", "rope_scaling.original_max_position_embeddings", "is missing")]
    [InlineData("{\"type\": \"llama3\", \"factor\": 8, \"original_max_position_embeddings\": 64, \"low_freq_factor\": 4, \"high_freq_factor\": 1}", "rope_scaling.high_freq_factor", "above low")]
    [InlineData("{\"type\": \"yarn\", \"original_max_position_embeddings\": 2048}", "rope_scaling.factor", "is missing")]
    [InlineData("{\"type\": \"longrope\", \"short_factor\": [1, 2]}", "rope_scaling.short_factor", "2 factors for 32 frequencies")]
    [InlineData("{\"type\": \"longrope\", \"short_factor\": [1, null]}", "rope_scaling.short_factor", "holds null")]
    public void RopeScalingsThatCannotBeHonoured(string value, string key, string problem) => Refuses(Edited("tinyllama-1.1b", "rope_scaling", value), key, problem);

    [Theory]
    [InlineData("tinyllama-1.1b", "intermediate_size", "268435456", "hidden_size", "over 10^12 parameters")]
    [InlineData("bloom-560m of the first days", "hidden_size", "512", "n_embed", "contradicts hidden_size 512")]
    [InlineData("dolly-v2-3b", "rotary_pct", "0.5", "partial_rotary_factor", "0.25 contradicts rotary_pct 0.5")]
    [InlineData("minitron-4b", "head_dim", "64", "kv_channels", "128 contradicts head_dim 64")]
    [InlineData("mistral-7b", "attention_bias", "true", "attention_bias", "true is not supported, only false")]
    [InlineData("mixtral-8x7b", "num_local_experts", "4096", "num_local_experts", "above 512")]
    [InlineData("mixtral-8x7b", "num_experts_per_tok", "9", "num_experts_per_tok", "must be from 1 to num_local_experts 8")]
    [InlineData("qwen2.5-0.5b", "attention_bias", "false", "attention_bias", "is not a key Skiff knows")]
    [InlineData("qwen2.5-0.5b saved anew", "layer_types", "[\"full_attention\"]", "layer_types", "1 types for 24 layers")]
    [InlineData("qwen2.5-0.5b saved anew", "rope_scaling", "{\"type\": \"linear\"}", "rope_scaling", "stands beside rope_parameters")]
    [InlineData("qwen2.5-0.5b saved anew", "rope_parameters", "{\"full_attention\": {\"rope_theta\": 5}}", "rope_parameters.full_attention", "is not a key Skiff knows")]
    [InlineData("qwen-1.8b", "no_bias", "false", "no_bias", "only true")]
    [InlineData("gemma-2b", "hidden_activation", "\"relu\"", "hidden_activation", "only gelu_pytorch_tanh")]
    [InlineData("gemma-3-1b", "use_bidirectional_attention", "true", "use_bidirectional_attention", "only false")]
    [InlineData("recurrentgemma-2b", "_block_types", "[\"mamba\"]", "_block_types", "recurrent and attention are")]
    [InlineData("opt-350m", "scale_embeddings", "true", "scale_embeddings", "only false")]
    [InlineData("phi-4-mini", "full_attn_mod", "2", "full_attn_mod", "only 1")]
    [InlineData("openelm-270m", "num_query_heads", "[12]", "num_query_heads", "1 values for 16 layers")]
    [InlineData("openelm-270m", "ffn_multipliers", "[-1]", "ffn_multipliers", "no usable width")]
    [InlineData("openelm-270m", "ffn_with_glu", "false", "ffn_with_glu", "only true")]
    [InlineData("minicpm3-4b", "head_dim", "64", "head_dim", "is not qk_nope_head_dim + qk_rope_head_dim, 96")]
    [InlineData("gpt2", "n_positions", "\"long\"", "n_positions", "must be a whole number")]
    public void FamiliesNameTheirOwnKeys(string name, string key, string value, string field, string problem) => Refuses(Edited(name, key, value), field, problem);

    [Fact]
    public void ADefaultThatDoesNotFitIsNotGuessed()
    {
        JsonObject json = PublishedConfig.Named("qwen2.5-0.5b").Config.Source.DeepClone().AsObject();
        json.Remove("num_key_value_heads");
        Refuses(Encoding.UTF8.GetBytes(json.ToJsonString()), "num_key_value_heads", "the family's default 32 does not divide num_attention_heads 14");
    }

    [Fact]
    public void TheClassDefaultsOfTheOriginalsAreKept()
    {
        JsonObject json = PublishedConfig.Named("mistral-7b").Config.Source.DeepClone().AsObject();
        Assert.True(json.Remove("num_key_value_heads") && json.Remove("sliding_window"));
        ModelConfig config = ModelConfig.Parse(json, "x");
        Assert.Equal((8, 4096), (config.Layers[0].KeyValueHeads, config.Layers[0].SlidingWindow));
        json["num_key_value_heads"] = null;
        Assert.Equal(32, ModelConfig.Parse(json, "x").Layers[0].KeyValueHeads);
    }

    private static byte[] Edited(string name, string key, string value)
    {
        JsonObject json = PublishedConfig.Named(name).Config.Source.DeepClone().AsObject();
        // Text, not nodes: some of the values are no numbers that a node can hold.
        json[key] = "@value@";
        return Encoding.UTF8.GetBytes(json.ToJsonString().Replace("\"@value@\"", value));
    }

    private static void Refuses(byte[] file, string field, string problem)
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => ModelConfig.Parse(file, "m/config.json"));
        Assert.Equal(field, refusal.Field);
        Assert.Contains(problem, refusal.Problem);
        Assert.StartsWith("m/config.json: ", refusal.Message);
        Assert.DoesNotContain('\n', refusal.Message);
    }
}
