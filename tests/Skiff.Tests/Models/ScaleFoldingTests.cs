using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>A model with scales computes the same with its scales in its weights.</summary>
public sealed class ScaleFoldingTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Families))]
    public void FoldedScalesKeepTheLogits(string name)
    {
        Model model = Scaled(name), folded = ScaleFolding.Fold(model);
        Assert.Equal((1, 1), (folded.Config.ResidualScale, folded.Config.LogitScale));
        Assert.Equal(ScaleKeys.Remove(model.Config).EmbeddingScale, folded.Config.EmbeddingScale);
        float[] wanted = Logits(model, name), found = Logits(folded, name);
        double scale = wanted.Max(Math.Abs), worst = wanted.Zip(found).Max(v => Math.Abs((double)v.First - v.Second));
        Assert.True(worst < 2e-6 * scale, $"{name}: logits moved by {worst:g3} of {scale:g3}");
        // The scales do something, else the test would show nothing.
        Assert.True(Logits(GoldenModel.Read(name).Open(), name).Zip(wanted).Max(v => Math.Abs((double)v.First - v.Second)) > 0.01 * scale, name);
    }

    // What llama.cpp would run without them is refused by name and written once they are folded; a folder or a file that carries its
    // config.json keeps them.
    [Theory]
    [InlineData("gpt2", "EmbeddingScale")]
    [InlineData("qwen3", "EmbeddingScale")]
    [InlineData("gemma", "EmbeddingScale")]
    [InlineData("mixtral", "EmbeddingScale")]
    [InlineData("olmo2", "EmbeddingScale")]
    [InlineData("bloom", "EmbeddingScale")]
    [InlineData("mobilellm_layer_sharing", "EmbeddingScale")]
    [InlineData("llama_headdim", "EmbeddingScale")]
    [InlineData("llama", null)]
    [InlineData("opt_350m_style", null)]
    [InlineData("recurrent_gemma", null)]
    public void NoFormLosesTheScales(string name, string? field)
    {
        using TemporaryFolder folder = new();
        Model model = Scaled(name);
        float[] wanted = Logits(model, name);
        ModelWriter.Write(model, folder.File("model"));
        Same(Model.Open(folder.File("model")), 0);
        string gguf = folder.File("model.gguf");
        if (field is null)
            ModelWriter.Write(model, gguf);
        else
        {
            InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => ModelWriter.Write(model, gguf));
            Assert.Equal(field, refusal.Field);
            Assert.Contains("--fold-scales", refusal.Problem);
            ModelWriter.Write(ScaleFolding.Fold(model), gguf);
        }

        Same(Model.Open(gguf), 1e-5);

        void Same(Model read, double tolerance)
        {
            float[] found = Logits(read, name);
            double scale = wanted.Max(Math.Abs), worst = wanted.Zip(found).Max(v => Math.Abs((double)v.First - v.Second));
            Assert.True(worst <= tolerance * scale, $"{name}: logits moved by {worst:g3} of {scale:g3}");
        }
    }

    [Fact]
    public void ALlama2cFileHoldsAFoldedMiniCpm()
    {
        using TemporaryFolder folder = new();
        ModelConfig config = ModelConfig.Parse(
            JsonNode.Parse("""
                {"model_type": "minicpm", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "rms_norm_eps": 1e-5,
                 "max_position_embeddings": 64, "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16}
                """)!.AsObject(),
            "config.json");
        Model model = RandomModel.Create("random", config, 1, TensorType.F32);
        Assert.Equal("EmbeddingScale", Assert.Throws<InvalidInputException>(() => ModelWriter.Write(model, folder.File("model.bin"))).Field);
        ModelWriter.Write(ScaleFolding.Fold(model), folder.File("model.bin"));
        float[] wanted = Logits(model, 1, 5, 30, 2, 63), found = Logits(Model.Open(folder.File("model.bin")), 1, 5, 30, 2, 63);
        Assert.True(wanted.Zip(found).Max(v => Math.Abs(v.First - v.Second)) < 1e-5 * wanted.Max(Math.Abs));
    }

    private static Model Scaled(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = ScaleKeys.Set(ScaleKeys.Remove(model.Config), 3, 0.7, 20);
        return new Model(name, config, model.Parameter, model.TypeOf, () => null, TensorType.F32);
    }

    private static float[] Logits(Model model, string name) => Logits(model, GoldenModel.Read(name).Tokens);

    private static float[] Logits(Model model, params int[] tokens)
    {
        Decoder decoder = new(model);
        float[] logits = new float[tokens.Length * decoder.VocabularySize];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, logits);
        return logits;
    }
}
