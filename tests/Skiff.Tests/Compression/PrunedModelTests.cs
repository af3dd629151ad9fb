using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Compression;

/// <summary>What is left of a model computes what the whole model computes once the parts that went are silenced in it.</summary>
public sealed class PrunedModelTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    private static IEnumerable<LayerConfig> Attending(ModelConfig config) => config.Layers.DistinctBy(layer => layer.Weights).Where(layer => layer.Kind == LayerKind.Attention);

    [Theory]
    [MemberData(nameof(Families))]
    public void PruningNothingChangesNothing(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = model.Config;
        Model same = PrunedModel.Of(model, new PrunePlan
        {
            Layers = All(config.NumHiddenLayers),
            Hidden = All(config.HiddenSize),
            Neurons = PruneShape.FeedForwards(config).ToDictionary(place => place, place => All(config.Layers.First(layer => layer.Weights == place.Layer).IntermediateSize)),
            Heads = config.Position == PositionKind.Alibi ? null : Attending(config).ToDictionary(layer => layer.Weights, layer => All(layer.Heads)),
        });
        Assert.Null(ConfigDifference.Between(config, same.Config));
        foreach (Parameter parameter in ParameterList.Of(config))
            Assert.True(model.Parameter(parameter.Name).Floats().SequenceEqual(same.Parameter(parameter.Name).Floats()), parameter.Name);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void NeuronsThatGoAreSilent(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        Random random = new(1);
        Dictionary<(int Layer, int Expert), int[]> neurons = PruneShape.FeedForwards(model.Config).ToDictionary(
            place => place, place => Some(random, model.Config.Layers.First(layer => layer.Weights == place.Layer).IntermediateSize, 4));
        AssertSame(name, model, new PrunePlan { Neurons = neurons }, parameter => parameter is { Kind: "weight", Module: "down" or "experts.down" }
            ? (_, column, value) => neurons[(parameter.Layer, parameter.Index)].Contains(column) ? value : 0
            : null);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void HeadsThatGoAreSilent(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = model.Config;
        Random random = new(2);
        // Of each group as many, and of heads with keys of their own half.
        Dictionary<int, int[]> heads = Attending(config).ToDictionary(layer => layer.Weights, layer => layer.KeyValueHeads == layer.Heads
            ? Some(random, layer.Heads, layer.Heads / 2)
            : [.. Enumerable.Range(0, layer.KeyValueHeads).Select(group => (group * (layer.Heads / layer.KeyValueHeads)) + random.Next(layer.Heads / layer.KeyValueHeads))]);
        if (config.Position == PositionKind.Alibi || config.QkNorm == QueryKeyNorm.Whole)
        {
            // A norm over all heads becomes one over those that are left: another function.
            if (config.Position == PositionKind.Alibi)
                Assert.Contains("slope", Assert.Throws<InvalidInputException>(() => PrunedModel.Of(model, new PrunePlan { Heads = heads })).Message);
            return;
        }

        AssertSame(name, model, new PrunePlan { Heads = heads }, parameter => parameter is { Kind: "weight", Module: "output" }
            ? (_, column, value) => heads[parameter.Layer].Contains(column / config.ValueHeadDim) ? value : 0
            : null);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void LayersThatGoAreNotRun(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        Model model = golden.Open();
        int count = model.Config.NumHiddenLayers;
        // Blocks that share weights go together.
        int[] gone = [.. Enumerable.Range(0, count).Where(l => model.Config.Layers[l].Weights == model.Config.Layers[count / 2].Weights)];
        int[] kept = [.. All(count).Except(gone)];
        if (kept.Length == 0)
            return;
        ModelConfig shorter = model.Config with { Layers = [.. kept.Select(l => model.Config.Layers[l])] };
        Model? pruned = Pruned(model, new PrunePlan { Layers = kept });
        if (pruned is not null)
            AssertClose(Logits(shorter, model.Parameter, golden.Tokens), Logits(pruned.Config, pruned.Parameter, golden.Tokens), name, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void ChannelsThatGoAreNeitherReadNorWritten(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        Model model = golden.Open();
        ModelConfig config = model.Config;
        int[] kept = Some(new Random(3), config.HiddenSize, config.HiddenSize * 3 / 4);
        Model? pruned = Pruned(model, new PrunePlan { Hidden = kept });
        if (pruned is null)
            return;
        foreach (Parameter parameter in ParameterList.Of(pruned.Config))
            AssertSlice(model, pruned, parameter, kept);
        if (!config.Norm.Rms || !config.Norm.Gain || config.WordEmbedProjDim != config.HiddenSize || config.Latent is not null || config.Position == PositionKind.Learned)
            return;
        // With silent channels a mean square over all of them is too small by their share: gains and epsilon make up for it.
        double share = (double)kept.Length / config.HiddenSize;
        Func<string, Tensor> silent = Masked(model, parameter => parameter.Module switch
        {
            "embedding" or "output_projection" => (_, column, value) => kept.Contains(column) ? value : 0,
            "output" or "down" or "experts.down" or "recurrent_out" => (row, _, value) => kept.Contains(row) ? value : 0,
            "attention_norm" or "post_attention_norm" or "feed_forward_norm" or "post_feed_forward_norm" or "final_norm" =>
                (row, _, value) => (float)(((value + config.Norm.GainOffset) * Math.Sqrt(share)) - config.Norm.GainOffset),
            _ => null,
        });
        if (config.QkNorm != QueryKeyNorm.None || config.NormPlacement != NormPlacement.Before)
            return;
        ModelConfig wide = config with { Norm = config.Norm with { Epsilon = config.Norm.Epsilon * share } };
        // The silent model's embedding keeps its scale, and the pruned one's table makes up for a smaller scale.
        AssertClose(Logits(wide, silent, golden.Tokens), Logits(pruned.Config, pruned.Parameter, golden.Tokens), name, 2e-4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void HeadsThatGoAreFoldedBack(int sign)
    {
        Model model = GoldenModel.Read("llama").Open();
        ModelConfig config = model.Config;
        LayerConfig first = config.Layers[0];
        int group = first.Heads / first.KeyValueHeads, k = config.HeadDim;
        Dictionary<int, int[]> heads = config.Layers.ToDictionary(layer => layer.Weights, _ => Enumerable.Range(0, first.KeyValueHeads).Select(g => g * group).ToArray());
        HeadResidual residual = new(heads[0].ToDictionary(head => head, head => head + 1), sign);
        Model pruned = PrunedModel.Of(model, new PrunePlan { Heads = heads, HeadResiduals = new Dictionary<int, HeadResidual> { [0] = residual } });
        float[] row = new float[config.HiddenSize], partner = new float[row.Length], actual = new float[row.Length];
        for (int i = 0; i < heads[0].Length * k; i++)
        {
            int head = heads[0][i / k];
            model.Parameter("layers.0.query.weight").ReadRow((head * k) + (i % k), row);
            model.Parameter("layers.0.query.weight").ReadRow(((head + 1) * k) + (i % k), partner);
            pruned.Parameter("layers.0.query.weight").ReadRow(i, actual);
            Assert.Equal([.. row.Zip(partner, (a, b) => a + (sign * (a - b)))], actual);
        }

        float[] whole = model.Parameter("layers.0.output.weight").Floats().ToArray(), cut = pruned.Parameter("layers.0.output.weight").Floats().ToArray();
        int wide = first.Heads * k, narrow = heads[0].Length * k;
        for (int i = 0; i < cut.Length; i++)
        {
            int r = i / narrow, c = i % narrow, head = heads[0][c / k], at = (r * wide) + (head * k) + (c % k);
            Assert.Equal(whole[at] + (sign * (whole[at] - whole[at + k])), cut[i]);
        }

        // The other blocks are cut alone.
        Assert.Equal(model.Parameter("layers.1.query.weight").Floats()[..k].ToArray(), pruned.Parameter("layers.1.query.weight").Floats()[..k].ToArray());
    }

    [Fact]
    public void ExpertsThatGoAreNotAsked()
    {
        Model model = GoldenModel.Read("mixtral").Open();
        int experts = model.Config.NumLocalExperts;
        Dictionary<int, int[]> kept = model.Config.Layers.ToDictionary(layer => layer.Weights, layer => Some(new Random(layer.Weights), experts, experts - 1));
        Model pruned = PrunedModel.Of(model, new PrunePlan { Experts = kept });
        Assert.Equal(experts - 1, pruned.Config.NumLocalExperts);
        foreach ((int layer, int[] own) in kept)
        {
            for (int e = 0; e < own.Length; e++)
            {
                Assert.Equal(
                    model.Parameter(Parameter.NameOf("experts.gate", "weight", layer, own[e])).Floats().ToArray(),
                    pruned.Parameter(Parameter.NameOf("experts.gate", "weight", layer, e)).Floats().ToArray());
                float[] row = new float[model.Config.HiddenSize], same = new float[row.Length];
                model.Parameter(Parameter.NameOf("router", "weight", layer)).ReadRow(own[e], row);
                pruned.Parameter(Parameter.NameOf("router", "weight", layer)).ReadRow(e, same);
                Assert.Equal(row, same);
            }
        }
    }

    [Fact]
    public void WhatIsNotThereIsRefused()
    {
        Model model = GoldenModel.Read("llama").Open();
        Assert.Contains("the model has 0 to", Refusal(new PrunePlan { Layers = [0, 99] }));
        Assert.Contains("must ascend", Refusal(new PrunePlan { Hidden = [3, 2] }));
        Assert.Contains("nothing would be left", Refusal(new PrunePlan { Layers = [] }));

        string Refusal(PrunePlan plan) => Assert.Throws<InvalidInputException>(() => PrunedModel.Of(model, plan)).Message;
    }

    // Some families' files cannot say every size; then the refusal names the trait, and only then.
    private static Model? Pruned(Model model, PrunePlan plan)
    {
        try
        {
            return PrunedModel.Of(model, plan);
        }
        catch (InvalidInputException refused)
        {
            Assert.Contains("cannot say what would be left", refused.Message);
            Assert.True(model.Config.ModelType is "openelm" or "recurrent_gemma", refused.Message);
            TestContext.Current.SendDiagnosticMessage($"{model.Path}: {refused.Field}");
            return null;
        }
    }

    private static void AssertSame(string name, Model model, PrunePlan plan, Func<Parameter, Func<int, int, float, float>?> mask)
    {
        if (Pruned(model, plan) is { } pruned)
            AssertClose(Logits(model.Config, Masked(model, mask), GoldenModel.Read(name).Tokens), Logits(pruned.Config, pruned.Parameter, GoldenModel.Read(name).Tokens), name, 1e-5);
    }

    private static Func<string, Tensor> Masked(Model model, Func<Parameter, Func<int, int, float, float>?> mask)
    {
        Dictionary<string, Parameter> parameters = ParameterList.Of(model.Config).ToDictionary(parameter => parameter.Name);
        return name =>
        {
            Tensor tensor = model.Parameter(name);
            if (mask(parameters[name]) is not { } change)
                return tensor;
            int columns = parameters[name].Columns;
            float[] values = tensor.Floats().ToArray();
            return Tensor.FromFloats([.. values.Select((value, i) => change(i / columns, i % columns, value))], [.. tensor.Shape]);
        };
    }

    private static void AssertSlice(Model model, Model pruned, Parameter parameter, int[] kept)
    {
        Parameter source = ParameterList.Of(model.Config).Single(p => p.Name == parameter.Name);
        (AxisUse rows, AxisUse columns) = ParameterAxes.Of(model.Config, source);
        if (model.Config.EmbeddingScale != pruned.Config.EmbeddingScale)
            return;
        float[] whole = model.Parameter(source.Name).Floats().ToArray(), slice = pruned.Parameter(parameter.Name).Floats().ToArray();
        int[] keptRows = rows.Axis == PruneAxis.Hidden ? kept : All((int)source.Rows), keptColumns = columns.Axis == PruneAxis.Hidden ? kept : All(source.Columns);
        Assert.Equal([.. keptRows.SelectMany(r => keptColumns.Select(c => whole[(r * source.Columns) + c]))], slice);
    }

    private static float[][] Logits(ModelConfig config, Func<string, Tensor> parameter, int[] tokens)
    {
        Decoder decoder = new(config, parameter);
        DecoderState state = decoder.CreateState(tokens.Length);
        return [.. tokens.Select(token =>
        {
            float[] logits = new float[config.VocabSize];
            decoder.Forward(state, [token], logits);
            return logits;
        })];
    }

    private static void AssertClose(float[][] expected, float[][] actual, string name, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            double scale = Math.Max(1, expected[i].Max(Math.Abs));
            for (int j = 0; j < expected[i].Length; j++)
                Assert.True(Math.Abs(expected[i][j] - actual[i][j]) <= tolerance * scale, $"{name}: position {i}, id {j}: {expected[i][j]} and {actual[i][j]}");
        }
    }

    private static int[] All(int count) => [.. Enumerable.Range(0, count)];

    private static int[] Some(Random random, int count, int kept)
    {
        int[] all = All(count);
        random.Shuffle(all);
        return [.. all.Take(Math.Max(1, kept)).Order()];
    }
}
