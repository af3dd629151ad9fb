using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Compression;

public sealed class ShapeSearchTests
{
    private static PruneShape Fit(ModelConfig config, PruneWays ways, double share) =>
        ShapeSearch.Fit(config, "test", ways, small => small.ParameterCount, share * config.ParameterCount, "parameters");

    private static ModelConfig Described(ModelConfig config, PruneShape shape) => PrunedConfig.Of(config, shape.Rank(config, null, "test"), "test");

    [Theory]
    [InlineData("zoo:smollm2-135m", 0.6)]
    [InlineData("zoo:smollm2-135m", 0.3)]
    [InlineData("zoo:tinyllama-1.1b", 0.5)]
    [InlineData("zoo:pythia-160m", 0.5)]
    [InlineData("zoo:opt-125m", 0.5)]
    [InlineData("zoo:gemma-2-2b", 0.5)]
    [InlineData("zoo:qwen2.5-0.5b", 0.5)]
    public void WidthsUseTheBudgetAndKeepTheProportions(string name, double share)
    {
        ModelConfig config = Model.OpenConfig(name), small = Described(config, Fit(config, PruneWays.Width, share));
        Assert.InRange(small.ParameterCount / (double)config.ParameterCount, share * 0.9, share);
        Assert.Equal(config.NumHiddenLayers, small.NumHiddenLayers);
        Assert.Equal(0, small.Layers[0].IntermediateSize % ShapeSearch.TileOf(config.Layers[0].IntermediateSize));
        double hidden = small.HiddenSize / (double)config.HiddenSize, inner = small.Layers[0].IntermediateSize / (double)config.Layers[0].IntermediateSize;
        Assert.InRange(hidden / inner, 0.7, 1.4);
    }

    [Fact]
    public void BlocksGoInOneRunAndTheEndsStay()
    {
        ModelConfig config = Model.OpenConfig("zoo:tinyllama-1.1b");
        PruneShape shape = Fit(config, PruneWays.Depth, 0.5);
        ModelConfig small = Described(config, shape);
        Assert.InRange(small.ParameterCount / (double)config.ParameterCount, 0.45, 0.5);
        Assert.Equal(config.HiddenSize, small.HiddenSize);
        IReadOnlyList<int> kept = shape.Rank(config, null, "test").Layers!;
        Assert.Equal((0, config.NumHiddenLayers - 1), (kept[0], kept[^1]));
        Assert.Equal(1, kept.Zip(kept.Skip(1)).Count(pair => pair.Second != pair.First + 1));

        ModelConfig both = Described(config, Fit(config, PruneWays.Both, 0.5));
        Assert.InRange(both.ParameterCount / (double)config.ParameterCount, 0.45, 0.5);
        Assert.True(both.NumHiddenLayers < config.NumHiddenLayers && both.HiddenSize < config.HiddenSize);
    }

    [Fact]
    public void WhatCannotBeMetIsSaid()
    {
        ModelConfig config = Model.OpenConfig("zoo:smollm2-135m");
        Assert.Contains("the least is", Assert.Throws<InvalidInputException>(() => Fit(config, PruneWays.Width, 0.001)).Message);
        Assert.Contains("nothing to prune", Assert.Throws<InvalidInputException>(() => Fit(config, PruneWays.Width, 1.5)).Message);
    }
}
