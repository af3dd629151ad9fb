using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Compression;

public sealed class ImportanceTests
{
    private static readonly Memory<int>[] s_samples = [.. Enumerable.Range(0, 5).Select(s => Enumerable.Range(0, 9 + s).Select(i => (i * 7 + s * 3) % 20).ToArray().AsMemory())];

    public static TheoryData<string> Families => [.. GoldenModel.Names];

    [Fact]
    public void ScoresAreTheFormulas()
    {
        double[][] rows = [[1, -2], [3, 2], [-1, 0]], more = [[2, 1], [0, -1]];
        ChannelScores scores = new(2);
        scores.Add(View(rows));
        scores.Add(View(more));
        // Channel 0: means of absolutes 5/3 and 1, norms sqrt 11 and 2, variances 8/3 and 1; channel 1: 4/3 and 1, sqrt 8 and sqrt 2, 8/3 and 1.
        AssertClose([Math.Sqrt((25 / 9.0) + 1), Math.Sqrt((16 / 9.0) + 1)], scores.Of(Aggregation.L2, Aggregation.Mean));
        AssertClose([4 / 3.0, 7 / 6.0], scores.Of(Aggregation.Mean, Aggregation.Mean));
        AssertClose([1 / 9.0, 1 / 36.0], scores.Of(Aggregation.Variance, Aggregation.Mean));
        AssertClose([Math.Sqrt(15), Math.Sqrt(10)], scores.Of(Aggregation.L2, Aggregation.L2));
        AssertClose([(Math.Sqrt(11) + 2) / 2, (Math.Sqrt(8) + Math.Sqrt(2)) / 2], scores.Of(Aggregation.Mean, Aggregation.L2));
        AssertClose([Math.Sqrt((64 / 9.0) + 1), Math.Sqrt((64 / 9.0) + 1)], scores.Of(Aggregation.L2, Aggregation.Variance));
        AssertClose([11 / 6.0, 11 / 6.0], scores.Of(Aggregation.Mean, Aggregation.Variance));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void EveryFamilyHasScoresForAllItsParts(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = model.Config;
        Importance importance = Importance.Measure(model, s_samples, name, null, TestContext.Current.CancellationToken);
        Assert.Equal(config.HiddenSize, importance.Hidden().Count(score => score > 0));
        foreach (LayerConfig layer in config.Layers.Where(layer => layer.Kind == LayerKind.Attention))
            Assert.Equal(layer.Heads, importance.Heads(layer.Weights).Count(score => score > 0));
        foreach ((int layer, int expert) in PruneShape.FeedForwards(config).Where(place => place.Expert < 0))
            Assert.Contains(importance.Neurons(layer, expert), score => score > 0);
        for (int l = 0; l < config.NumHiddenLayers; l++)
            Assert.InRange(importance.Influence(l), 1e-9, 2);
        if (config.NumLocalExperts > 0)
            Assert.Contains(importance.ExpertsOf(0), score => score > 0);

        // As a file, the same.
        using TemporaryFolder folder = new();
        importance.Write(folder.File("scores"), "text");
        Importance read = Importance.Read(folder.File("scores"), config);
        Assert.Equal(importance.Hidden(Aggregation.Variance, Aggregation.L2), read.Hidden(Aggregation.Variance, Aggregation.L2));
        Assert.Equal(importance.Influence(0, config.NumHiddenLayers), read.Influence(0, config.NumHiddenLayers));
        Assert.Equal(importance.ExpertsOf(0), read.ExpertsOf(0));
        ModelConfig other = GoldenModel.Read(name == "gpt2" ? "llama" : "gpt2").Config();
        Assert.Contains("of another model", Assert.Throws<InvalidInputException>(() => Importance.Read(folder.File("scores"), other)).Message);
    }

    // A part whose output is made larger matters more; one that is silenced does not matter.
    [Fact]
    public void TheStrongestPartsStay()
    {
        Model model = GoldenModel.Read("llama").Open();
        int f = model.Config.Layers[0].IntermediateSize;
        // Neuron 3 of each block is silent: its up row is 0.
        Model silent = model.With(name =>
        {
            Tensor tensor = model.Parameter(name);
            if (!name.EndsWith("up.weight", StringComparison.Ordinal))
                return tensor;
            Tensor changed = Tensor.FromFloats(tensor.Floats(), [.. tensor.Shape]);
            changed.Floats().Slice(3 * tensor.Columns, tensor.Columns).Clear();
            return changed;
        });
        Importance importance = Importance.Measure(silent, s_samples, "test", null, TestContext.Current.CancellationToken);
        PrunePlan plan = new PruneShape { Intermediate = f - 1 }.Rank(model.Config, importance, "test");
        Assert.All(plan.Neurons!.Values, kept => Assert.Equal([.. Enumerable.Range(0, f).Where(i => i != 3)], kept));
    }

    [Fact]
    public void SizesOutOfReachAreRefused()
    {
        Model model = GoldenModel.Read("llama").Open();
        Importance importance = Importance.Measure(model, s_samples, "test", null, TestContext.Current.CancellationToken);
        Assert.Contains("can be pruned to 1 to", Refusal(new PruneShape { Hidden = 100000 }));
        Assert.Contains("the model has none", Refusal(new PruneShape { Experts = 2 }));
        Assert.Contains("give a multiple of", Refusal(new PruneShape { Heads = model.Config.Layers[0].KeyValueHeads + 1 }));

        string Refusal(PruneShape shape) => Assert.Throws<InvalidInputException>(() => shape.Rank(model.Config, importance, "test")).Message;
    }

    private static unsafe MatrixView View(double[][] rows)
    {
        Tensor tensor = Tensor.FromFloats([.. rows.SelectMany(row => row).Select(value => (float)value)], rows.Length, rows[0].Length);
        s_alive.Add(tensor);
        return new MatrixView((float*)tensor.Data, rows.Length, rows[0].Length);
    }

    private static readonly System.Collections.Concurrent.ConcurrentBag<Tensor> s_alive = [];

    private static void AssertClose(double[] expected, double[] actual)
    {
        foreach ((double a, double b) in expected.Zip(actual))
            Assert.Equal(a, b, 9);
    }
}
