using Skiff.Compression;
using Skiff.Models;
using Skiff.Tests.Models;

namespace Skiff.Tests.Compression;

public sealed class ActivationScalingTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // Whatever the scales, what a model computes stays.
    [Theory]
    [MemberData(nameof(Families))]
    public void NoOutputChanges(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        Random random = new(1);
        Dictionary<string, long> widths = ParameterList.Of(model.Config).ToDictionary(parameter => parameter.Name, parameter => parameter.Shape[^1]);
        int groups = 0;
        Model scaled = ActivationScaling.Scaled(model, group =>
        {
            groups++;
            return [.. Enumerable.Range(0, (int)widths[group.Readers[0]]).Select(_ => 0.5 + (2 * random.NextDouble()))];
        });
        Memory<int>[] samples = [Enumerable.Range(0, 15).Select(i => (7 * i) % model.Config.VocabSize).ToArray()];
        ModelDivergence divergence = ModelDivergence.Measure(model, scaled, samples, TestContext.Current.CancellationToken);
        Assert.InRange(divergence.Kl, -1e-6, 1e-6);
        if (name == "llama")
        {
            Assert.Equal(3 * model.Config.NumHiddenLayers, groups);
            Assert.NotEqual(model.Parameter("layers.0.query.weight").Floats().ToArray(), scaled.Parameter("layers.0.query.weight").Floats().ToArray());
        }
    }

    [Fact]
    public void WhatIsRoundedStaysNearer()
    {
        using TemporaryFolder folder = new();
        string source = folder.File("base"), text = Data.File("text", "tinystories-v1-train.jsonl.gz"), plain = folder.File("plain.gguf"), better = folder.File("better.gguf");
        EndToEnd.CommandLine.Output("convert", EndToEnd.Stories260k.Checkpoint, source, "--tokenizer", EndToEnd.Stories260k.Tokenizer);
        EndToEnd.CommandLine.Output("quantize", source, plain, "--type", "q4_0");
        EndToEnd.CommandLine.Output("quantize", source, better, "--type", "q4_0", "--awq", text);
        Model original = Model.Open(source);
        Memory<int>[] samples = CalibrationText.Samples(original, Data.File("text", "tinystories-v2-gpt4.jsonl.gz"), 20, 256);
        double nearest = Kl(plain), scaled = Kl(better);
        Assert.True(scaled < 0.95 * nearest, $"{scaled} against {nearest}");
        Assert.Equal(new FileInfo(plain).Length, new FileInfo(better).Length);

        double Kl(string path) => ModelDivergence.Measure(original, Model.Open(path), samples, TestContext.Current.CancellationToken).Kl;
    }
}
