using System.Text.Json.Nodes;
using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

public sealed class ConfigDifferenceTests
{
    private static readonly ModelConfig Base = PublishedConfig.Named("llama-3.2-1b").Config;

    [Theory]
    [InlineData("vocab_size", "1000", "VocabSize")]
    [InlineData("rms_norm_eps", "1e-6", "Norm.Epsilon")]
    [InlineData("num_hidden_layers", "15", "Layers")]
    [InlineData("num_key_value_heads", "4", "Layers[0].KeyValueHeads")]
    [InlineData("rope_theta", "10000", "Layers[0].Rope")]
    [InlineData("hidden_act", "\"gelu\"", "HiddenAct")]
    [InlineData("attention_bias", "true", "QkvBias")]
    [InlineData("tie_word_embeddings", "false", "TieWordEmbeddings")]
    public void NamesTheTrait(string key, string value, string trait) =>
        Assert.Equal(trait, LlamaConfigs.Difference(Base, Base.With(new Dictionary<string, JsonNode?> { [key] = JsonNode.Parse(value) })));

    [Fact]
    public void RoundingIsNoDifference()
    {
        ModelConfig rounded = Base.With(new Dictionary<string, JsonNode?> { ["rms_norm_eps"] = (double)1e-5f });
        Assert.NotEqual(Base.Norm.Epsilon, rounded.Norm.Epsilon);
        Assert.Null(LlamaConfigs.Difference(Base, rounded));
    }

    [Fact]
    public void TheSameAnglesByAnotherRuleAreNoDifference()
    {
        (double[] plain, _) = (Base.Layers[0].Rope! with { Scaling = RopeScaling.None }).Frequencies(0);
        (double[] stretched, _) = Base.Layers[0].Rope!.Frequencies(0);
        JsonArray factors = [.. plain.Zip(stretched).Select(f => (JsonNode)(f.First / f.Second))];
        ModelConfig byTable = Base.With(new Dictionary<string, JsonNode?>
        {
            ["rope_scaling"] = new JsonObject { ["rope_type"] = "longrope", ["short_factor"] = factors, ["long_factor"] = factors.DeepClone(), ["attention_factor"] = 1.0 },
        });
        Assert.Null(LlamaConfigs.Difference(Base, byTable));
    }
}
