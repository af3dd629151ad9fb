using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Configuration;

public sealed class ScaleKeysTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // Whatever the family, and on top of what it scales itself.
    [Theory]
    [MemberData(nameof(Families))]
    public void EveryFamilyTakesTheScalesAndGivesThemBack(string name)
    {
        ModelConfig config = GoldenModel.Read(name).Config(), plain = ScaleKeys.Remove(config), scaled = ScaleKeys.Set(plain, 12, 1.4, 8);
        Assert.Equal(12 * plain.EmbeddingScale, scaled.EmbeddingScale, 12);
        Assert.Equal(1.4 / Math.Sqrt(config.Layers.Count), scaled.ResidualScale, 12);
        Assert.Equal(8.0 / config.HiddenSize, scaled.LogitScale, 12);
        Assert.Equal((1, 1), (plain.ResidualScale, plain.LogitScale));
        Assert.Equal(name.StartsWith("gemma", StringComparison.Ordinal) || name.StartsWith("recurrent_gemma", StringComparison.Ordinal), plain.EmbeddingScale != 1);
        // Nothing else has changed, whatever the file is called now.
        ModelConfig again = ScaleKeys.Remove(scaled);
        Assert.Equal(plain.ModelType, again.ModelType);
        Assert.Equal(ParameterList.Of(config).Select(p => (p.Name, p.Count)), ParameterList.Of(scaled).Select(p => (p.Name, p.Count)));
        ConfigDifference.Refuse(plain, Flat(again), name, "scales");
        ConfigDifference.Refuse(plain with { EmbeddingScale = scaled.EmbeddingScale, ResidualScale = scaled.ResidualScale, LogitScale = scaled.LogitScale }, Flat(scaled), name, "scales");

        static ModelConfig Flat(ModelConfig c) => c with { Layers = [.. c.Layers.Select((layer, l) => layer with { Weights = l })], SharedFeedForward = false };
    }

    [Fact]
    public void SharedBlocksCountAsOftenAsTheyRun()
    {
        ModelConfig config = ScaleKeys.Set(GoldenModel.Read("mobilellm_layer_sharing").Config(), 1, 1.4, 8);
        Assert.Equal(2 * config.Layers.DistinctBy(l => l.Weights).Count(), config.Layers.Count);
        Assert.Equal(1.4 / Math.Sqrt(config.Layers.Count), config.ResidualScale, 12);
    }

    // MiniCPM ties its head and Llama does not where the file is silent; each names code that cannot run the other.
    [Fact]
    public void ALlamaBecomesAMiniCpmWhereThatIsTheSame()
    {
        ModelConfig config = ScaleKeys.Set(Llama("\"mlp_bias\": false, \"auto_map\": {\"AutoModelForCausalLM\": \"x.Y\"}"), 12, 1.4, 16);
        Assert.Equal(("minicpm", "MiniCPMForCausalLM", false), (config.ModelType, (string)config.Source["architectures"]![0]!, config.TieWordEmbeddings));
        Assert.False(config.Source.ContainsKey("auto_map") || config.Source.ContainsKey("mlp_bias"));
        ModelConfig back = ScaleKeys.Remove(config);
        Assert.Equal(("llama", "LlamaForCausalLM", false), (back.ModelType, (string)back.Source["architectures"]![0]!, back.TieWordEmbeddings));
        Assert.False(ScaleKeys.AreIn(back.Source));
    }

    [Theory]
    [InlineData("\"mlp_bias\": true")]
    [InlineData("\"head_dim\": 16")]
    [InlineData("\"partial_rotary_factor\": 0.5")]
    [InlineData("\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2}")]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 20000}")]
    public void ALlamaThatMiniCpmsCodeCannotRunKeepsItsName(string trait)
    {
        ModelConfig config = ScaleKeys.Set(Llama(trait), 12, 1.4, 16);
        Assert.Equal(("llama", 12, 0.5), (config.ModelType, config.EmbeddingScale, config.LogitScale));
    }

    [Fact]
    public void AFactorThatIsNoFactorIsRefused()
    {
        Assert.Equal("scale_depth", Assert.Throws<InvalidInputException>(() => Llama("\"scale_depth\": 0")).Field);
        Assert.Equal("dim_model_base", Assert.Throws<InvalidInputException>(() => Llama("\"dim_model_base\": \"256\"")).Field);
    }

    private static ModelConfig Llama(string more) => ModelConfig.Parse(
        Encoding.UTF8.GetBytes($$"""
            {"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, {{more}}}
            """),
        "config.json");
}
