using System.Text.Json.Nodes;
using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

public sealed class PublishedConfigTests
{
    public static TheoryData<string> Names => [.. PublishedConfig.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void PublishedFilesAreUnderstood(string name)
    {
        PublishedConfig published = PublishedConfig.Named(name);
        ModelConfig config = published.Config;
        Assert.Equal(published.Parameters, config.ParameterCount);
        Assert.Equal(published.Parameters, ParameterList.Of(config).Sum(p => p.Count));
        published.Traits(config);
    }

    [Fact]
    public void EveryFamilyIsCovered()
    {
        // Skiff's own description and MobiLlama's unpublished type stand in the zoo's tests.
        Assert.Equal(ModelFamily.ByType.Keys.Except(["skiff", "mobillama"]).Order(), PublishedConfig.All.Select(c => c.Config.ModelType).Distinct().Order());
    }

    // Pruning edits these keys, whatever names and lists a file states them under.
    [Theory]
    [MemberData(nameof(Names))]
    public void PrunedSizesKeepTheFamily(string name)
    {
        ModelConfig config = PublishedConfig.Named(name).Config;
        bool perLayer = config.ModelType == "openelm";
        int width = config.HiddenSize / 2, wider = config.Layers[0].IntermediateSize * 2;
        Dictionary<string, JsonNode?> changes = new() { ["vocab_size"] = 1000, ["hidden_size"] = width };
        if (perLayer)
            changes["ffn_multipliers"] = new JsonArray([.. Enumerable.Repeat(2.0, config.NumHiddenLayers).Select(v => (JsonNode)v)]);
        else
            changes["intermediate_size"] = wider;
        // Families that state no width of a head would take it from hidden_size.
        if (config.Latent is null)
            changes["head_dim"] = config.HeadDim;
        if (config.WordEmbedProjDim == config.HiddenSize && config.ModelType == "opt")
            changes["word_embed_proj_dim"] = width;
        if (config.Recurrent is not null)
            changes["lru_width"] = config.Recurrent.LruWidth;
        if (config.Latent is { } latent)
            changes["v_head_dim"] = latent.VHeadDim;

        ModelConfig pruned = config.With(changes);
        Assert.Equal((1000, width, config.HeadDim), (pruned.VocabSize, pruned.HiddenSize, pruned.HeadDim));
        // OpenELM's heads follow hidden_size where the file does not list them.
        if (!config.Source.ContainsKey("qkv_multipliers") || config.Source.ContainsKey("num_query_heads"))
            Assert.Equal(config.Layers.Select(l => l.Heads), pruned.Layers.Select(l => l.Heads));
        // The file's number counts gate and up together in two families.
        int expected = perLayer ? 2 * width : config.ModelType is "qwen" or "recurrent_gemma" ? wider / 2 : wider;
        Assert.All(pruned.Layers, l => Assert.Equal(expected, l.IntermediateSize));
        Assert.Equal(ParameterList.Of(pruned).Sum(p => p.Count), pruned.ParameterCount);
        Parameter up = ParameterList.Of(pruned).First(p => p.Module is "up" or "experts.up");
        Assert.Equal([expected, width], up.Shape);
        Assert.Equal(pruned.ParameterCount, ModelConfig.Parse(pruned.Source, "saved").ParameterCount);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AStatedHeadWidthIsHonoured(string name)
    {
        ModelConfig config = PublishedConfig.Named(name).Config;
        if (config.Latent is not null || config.Layers[0].Rope?.Scaling == RopeScaling.LongRope)
            return;
        ModelConfig wide = config.With(new Dictionary<string, JsonNode?> { ["head_dim"] = config.HeadDim * 2 });
        Assert.Equal(config.HeadDim * 2, wide.HeadDim);
        Assert.Equal(1 / Math.Sqrt(config.ModelType.StartsWith("gemma", StringComparison.Ordinal) && config.ModelType != "gemma" ? 256 : wide.HeadDim), wide.AttentionScale, 1e-12);
        if (ParameterList.Of(wide).FirstOrDefault(p => p.Module == "query") is { } query)
            Assert.Equal(wide.Layers[query.Layer].Heads * wide.HeadDim, query.Shape[0]);
    }

    [Fact]
    public void EditsFollowTheNamesOfTheFile()
    {
        ModelConfig old = PublishedConfig.Named("bloom-560m of the first days").Config;
        ModelConfig edited = old.With(new Dictionary<string, JsonNode?> { ["hidden_size"] = 512, ["num_hidden_layers"] = 3 });
        Assert.Equal((512, 3), (edited.HiddenSize, edited.NumHiddenLayers));
        Assert.Equal(512, (int)edited.Source["n_embed"]!);
        Assert.False(edited.Source.ContainsKey("hidden_size"));

        ModelConfig both = PublishedConfig.Named("dolly-v2-3b").Config.With(new Dictionary<string, JsonNode?> { ["rope_theta"] = 500 });
        Assert.Equal(500, both.Layers[0].Rope!.Theta);
    }
}
