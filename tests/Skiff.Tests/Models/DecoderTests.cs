using Skiff.Models;

namespace Skiff.Tests.Models;

public sealed class DecoderTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Families))]
    public void LogitsEqualThePublishedCode(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        Model model = golden.Open();
        int[] tokens = golden.Tokens;
        AssertClose(golden.Logits, Run(model, tokens, tokens.Length), name);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void AnyChunkingGivesTheSameLogits(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        Model model = golden.Open();
        AssertClose(golden.Logits, Run(model, golden.Tokens, 1), name);
        AssertClose(golden.Logits, Run(model, golden.Tokens, 5), name);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void TensorNamesAndShapesAreThePublishedOnes(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        ModelConfig config = golden.Config();
        Dictionary<string, string> ours = config.Family.Tensors.Layout(config).Tensors.ToDictionary(t => t.Name, t => string.Join(",", t.Shape));
        // Some published files leave a common prefix out.
        string prefix = config.Family.Tensors.OptionalPrefix;
        Dictionary<string, string> theirs = golden.Shapes.ToDictionary(t => ours.ContainsKey(t.Key) ? t.Key : prefix + t.Key, t => string.Join(",", t.Value));
        Assert.Equal(theirs.OrderBy(t => t.Key), ours.OrderBy(t => t.Key));
    }

    private static float[][] Run(Model model, int[] tokens, int chunk)
    {
        Decoder decoder = new(model);
        DecoderState state = decoder.CreateState(tokens.Length);
        List<float[]> rows = [];
        foreach (int[] part in tokens.Chunk(chunk))
        {
            float[] logits = new float[part.Length * decoder.VocabularySize];
            decoder.Forward(state, part, logits);
            rows.AddRange(logits.Chunk(decoder.VocabularySize));
        }

        return [.. rows];
    }

    private static void AssertClose(double[][] expected, float[][] actual, string name)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = expected.Max(row => row.Max(Math.Abs)), worst = 0;
        for (int t = 0; t < expected.Length; t++)
        {
            for (int v = 0; v < expected[t].Length; v++)
                worst = Math.Max(worst, Math.Abs(expected[t][v] - actual[t][v]));
        }

        Assert.True(worst <= 2e-6 * Math.Max(1, scale), $"{name}: off by {worst:g3} of logits up to {scale:g3}");
    }
}
