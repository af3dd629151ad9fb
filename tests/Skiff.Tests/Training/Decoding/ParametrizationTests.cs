using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class ParametrizationTests
{
    private static readonly RecipeParametrization s_mup = new() { Form = ParametrizationForm.Mup, InitStd = 0.1, BaseWidth = 64 };

    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // m = 8: the deviation of every matrix by 1 / sqrt(8), its rate by 1 / 8 (MiniCPM, arXiv 2404.06395, table 7), all else untouched.
    [Theory]
    [InlineData("llama", true)]
    [InlineData("llama", false)]
    [InlineData("gpt2", true)]
    [InlineData("gpt2", false)]
    [InlineData("qwen3", true)]
    [InlineData("phi", false)]
    [InlineData("mixtral", true)]
    [InlineData("minicpm3", true)]
    [InlineData("recurrent_gemma", false)]
    public void MatricesStartAndLearnByTheTable(string family, bool embedAsHidden)
    {
        ModelConfig config = Parametrization.Configure(Wide(family), s_mup, "recipe");
        Parametrization mup = new(s_mup with { EmbedAsHidden = embedAsHidden }, config);
        string[] tables = ["embedding", "position_embedding", "head"];
        foreach (TrainingParameter own in Initialized(mup, config))
        {
            Parameter p = own.Parameter;
            bool matrix = p.Shape.Length == 2 && p.Kind == "weight";
            bool shrinks = matrix && (embedAsHidden || !tables.Contains(p.Module));
            Assert.Equal(shrinks ? 1 / 8.0 : 1, mup.RateScale(p), 12);
            Check(own, config, matrix || p.Shape.Length > 2 ? shrinks ? 0.1 / Math.Sqrt(8) : 0.1 : 0);
        }

        Assert.Equal(12 * (family == "recurrent_gemma" ? 22.625 : 1), config.EmbeddingScale, 5);
        Assert.Equal(1.4 / Math.Sqrt(config.NumHiddenLayers), config.ResidualScale, 12);
        Assert.Equal(1 / 8.0, config.LogitScale, 12);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("mixtral")]
    [InlineData("recurrent_gemma")]
    public void WithoutMupOnlyTheEndsOfBranchesStartSmaller(string family)
    {
        ModelConfig config = Wide(family);
        RecipeParametrization options = new();
        Parametrization standard = new(options, config);
        Assert.Same(config, Parametrization.Configure(config, options, "recipe"));
        foreach (TrainingParameter own in Initialized(standard, config))
        {
            Parameter p = own.Parameter;
            Assert.Equal(1, standard.RateScale(p));
            bool ends = p.Module is "output" or "down" or "experts.down" or "recurrent_out";
            Check(own, config, p.Shape.Length == 1 || p.Kind.EndsWith("bias", StringComparison.Ordinal) ? 0 : ends ? 0.02 / Math.Sqrt(2 * config.NumHiddenLayers) : 0.02);
        }
    }

    // The tape and the plain decoder place the scales alike, in every family.
    [Theory]
    [MemberData(nameof(Families))]
    public void TrainingAndInferenceScaleAlike(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        ModelConfig config = ScaleKeys.Set(ScaleKeys.Remove(golden.Config()), 3, 0.7, 20);
        int[] tokens = golden.Tokens, targets = [.. tokens.Skip(1), -1];
        TrainingParameters parameters = new(ParameterList.Of(config), _ => false);
        parameters.Load(golden.Open().Parameter);
        using DecoderTape tape = new(config, parameters, new DecoderTapeOptions { Batch = 1, Time = tokens.Length });
        tape.Load(tokens, targets, new int[tokens.Length]);
        tape.Forward(gradients: false);

        Decoder decoder = new(config, n => parameters[n].Value);
        float[] logits = new float[tokens.Length * config.VocabSize];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, logits);
        double loss = logits.Chunk(config.VocabSize).Zip(targets).Where(row => row.Second >= 0).Sum(row =>
        {
            double most = row.First.Max();
            return most + Math.Log(row.First.Sum(z => Math.Exp(z - most))) - row.First[row.Second];
        });
        Assert.Equal(loss, tape.Loss.Sum, 2e-5 * loss);
    }

    [Fact]
    public void ScalesOfADescriptionMustBeThoseOfTheRecipe()
    {
        ModelConfig config = ScaleKeys.Set(Wide("llama"), 12, 1.4, 64);
        Assert.Equal(1 / 8.0, Parametrization.Configure(config, s_mup, "recipe").LogitScale);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Parametrization.Configure(config, s_mup with { BaseWidth = 256 }, "recipe"));
        Assert.Equal("recipe: parametrization.base_width: 256 contradicts model.dim_model_base 64: say the same in both", refusal.Message);
    }

    private static IEnumerable<TrainingParameter> Initialized(Parametrization parametrization, ModelConfig config)
    {
        TrainingParameters parameters = new(ParameterList.Of(config), _ => false);
        parametrization.Initialize(parameters, 3);
        return parameters.All;
    }

    // Vectors hold one value: gains 1 in effect, biases 0. The recurrence's decays have their own rule.
    private static void Check(TrainingParameter own, ModelConfig config, double deviation)
    {
        float[] values = own.Value.Floats().ToArray();
        string name = own.Parameter.Name;
        if (own.Parameter.Kind == "recurrent_param")
            Assert.All(values, v => Assert.InRange(Math.Exp(-8 * Math.Log(1 + Math.Exp(v))), 0.9, 0.999));
        else if (deviation == 0)
            Assert.All(values, v => Assert.Equal(own.Parameter.Kind == "weight" ? 1 - config.Norm.GainOffset : 0, v));
        else
        {
            double found = Math.Sqrt(values.Average(v => (double)v * v)), mean = Math.Abs(values.Average(v => (double)v)), chance = 1 / Math.Sqrt(values.Length);
            Assert.True(Math.Abs(found / deviation - 1) < 4 * chance && mean < 5 * chance * deviation, $"{name}: {found:g4}, not {deviation:g4}; mean {mean:g3}");
        }
    }

    private static ModelConfig Wide(string family)
    {
        string shape = family switch
        {
            "gpt2" => """ "n_embd": 512, "n_layer": 2, "n_head": 8, "n_positions": 64""",
            "recurrent_gemma" => """ "hidden_size": 512, "num_hidden_layers": 3, "num_attention_heads": 8, "intermediate_size": 2048, "head_dim": 64, "num_key_value_heads": 1""",
            _ => """ "hidden_size": 512, "num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 1024, "num_key_value_heads": 8, "head_dim": 64""",
        };
        if (family == "minicpm3")
            shape = shape.Replace(""", "head_dim": 64""", """, "q_lora_rank": 96, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16""", StringComparison.Ordinal);
        if (family == "mixtral")
            shape = shape.Replace(""", "head_dim": 64""", """, "num_local_experts": 4""", StringComparison.Ordinal);
        return ModelConfig.Parse(JsonNode.Parse($$"""{"model_type": "{{family}}", "vocab_size": 256,{{shape}}}""")!.AsObject(), "config.json");
    }
}
