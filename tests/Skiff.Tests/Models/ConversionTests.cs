using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>A model keeps its logits through every form it can be written in.</summary>
public sealed class ConversionTests
{
    // What llama.cpp's keys cannot say or its code cannot load; the conversion must refuse and name it.
    private static readonly Dictionary<string, string> NotInGguf = new()
    {
        ["bloom_postln"] = "ApplyResidualConnectionPostLayernorm",
        ["gemma2"] = "AttentionScale",
        ["gemma3_text"] = "Layers[2].SlidingWindow",
        ["gemma3_text_norope_scaling"] = "AttentionScale",
        ["gpt2_inner_invlayer"] = "ScaleAttnByInverseLayerIdx",
        ["minicpm3"] = "LogitScale",
        ["minicpm3_attnbias_untied_norope"] = "AttentionOutputBias",
        ["minicpm3_long"] = "LogitScale",
        ["nemotron"] = "HeadDim",
        ["openelm_published_form"] = "TieWordEmbeddings",
        ["phi_qknorm_gqa"] = "QkNorm",
        ["qwen2_window"] = "Layers[1].SlidingWindow",
        ["qwen_beyond_seq_length"] = "Layers[0].Rope",
        ["qwen_ntk_logn"] = "Layers[0].Rope",
    };

    public static TheoryData<string> Families => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Families))]
    public void FolderKeepsTheLogits(string name)
    {
        using TemporaryFolder folder = new();
        Model model = GoldenModel.Read(name).Open();
        ModelWriter.Write(model, folder.File("model"));
        AssertSame(model, Model.Open(folder.File("model")), name, 0);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void GgufKeepsTheLogitsOrSaysWhatItCannotHold(string name)
    {
        using TemporaryFolder folder = new();
        Model model = GoldenModel.Read(name).Open();
        string file = folder.File("model.gguf");
        if (Environment.GetEnvironmentVariable("SKIFF_KEEP_GGUF") is { } keep)
            file = Path.Combine(keep, name + ".gguf");
        if (NotInGguf.TryGetValue(name, out string? field))
        {
            InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => ModelWriter.Write(model, file));
            Assert.Equal(field, refusal.Field);
            Assert.False(File.Exists(file));
            return;
        }

        ModelWriter.Write(model, file);
        // 1 + gain is rounded where the family stores its norms so; factors of a rule are rounded too.
        AssertSame(model, Model.Open(file), name, 1e-5);
        Model again = Model.Open(file);
        ModelWriter.Write(again, folder.File("back"));
        AssertSame(again, Model.Open(folder.File("back")), name, 0);
    }

    private static void AssertSame(Model expected, Model actual, string name, double tolerance)
    {
        int[] tokens = GoldenModel.Read(name).Tokens;
        float[] a = Logits(expected, tokens), b = Logits(actual, tokens);
        double worst = a.Zip(b).Max(v => Math.Abs((double)v.First - v.Second)), scale = a.Max(Math.Abs);
        Assert.True(worst <= tolerance * Math.Max(1, scale), $"{name}: logits moved by {worst:g3} of {scale:g3}");
    }

    private static float[] Logits(Model model, int[] tokens)
    {
        Decoder decoder = new(model);
        float[] logits = new float[tokens.Length * decoder.VocabularySize];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, logits);
        return logits;
    }
}
