using System.Globalization;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>How architectures of published small models changed from half-year to half-year: the taxonomy of the survey (arXiv 2409.15790, section 2).</summary>
public static class ZooTrends
{
    private const double RatioSlack = 0.02;

    /// <summary>What architectures are told apart by.</summary>
    public static IReadOnlyList<ZooTrait> Traits { get; } =
    [
        new("attention", "grouped or fewer", config => config.Latent is not null ? "latent" : Attending(config) is { } layer
            ? layer.KeyValueHeads == layer.Heads ? "each head its own" : layer.KeyValueHeads == 1 ? "one for all" : "grouped" : "none", value => value != "each head its own"),
        new("feed-forward", "gated", config => config.Gated ? "gated" : "plain", value => value == "gated"),
        new("ratio", "not 4", Ratio, value => value != "4"),
        new("activation", "SiLU", config => config.HiddenAct.ToString(), value => value == nameof(Skiff.Tensors.Activation.Silu)),
        new("norm", "RMSNorm", config => config.Norm.Rms ? "RMSNorm" : "LayerNorm", value => value == "RMSNorm"),
        // Padded vocabularies of 50,257 count as 50 thousand, as in the survey.
        new("vocabulary", "over 52,000", config => config.VocabSize switch { <= 52_000 => "to 52,000", <= 150_000 => "to 150,000", <= 200_000 => "to 200,000", _ => "over 200,000" }, value => value != "to 52,000"),
        new("sharing", "tied head or shared blocks", config => config.SharedFeedForward ? "one feed-forward" : config.Layers.DistinctBy(layer => layer.Weights).Count() < config.NumHiddenLayers ? "blocks"
            : config.TieWordEmbeddings ? "head and embedding" : "nothing", value => value != "nothing"),
    ];

    /// <summary>Counts of each trait's values by half-year, those of most models first.</summary>
    /// <param name="entries">Which models.</param>
    public static IReadOnlyList<ZooTrend> Of(IReadOnlyList<ZooEntry> entries)
    {
        (string Half, ModelConfig Config)[] models = [.. entries.Select(entry => (HalfOf(entry.Date), entry.Config))];
        string[] halves = [.. models.Select(model => model.Half).Distinct().Order(StringComparer.Ordinal)];
        return [.. Traits.SelectMany(trait => models.GroupBy(model => trait.Of(model.Config)).OrderByDescending(group => group.Count()).Select(group => new ZooTrend(
            trait, group.Key, group.Count(), halves.ToDictionary(half => half, half => group.Count(model => model.Half == half)))))];
    }

    /// <summary>The share of models of each half-year that have a trait's newer form.</summary>
    public static LineChart Picture(IReadOnlyList<ZooEntry> entries)
    {
        IReadOnlyList<ZooTrend> trends = Of(entries);
        string[] halves = [.. trends[0].ByHalf.Keys];
        return new LineChart
        {
            Title = $"{entries.Count} small models: share with the newer form",
            XLabel = "year of release",
            YLabel = "share",
            XTicks = [.. Enumerable.Range((int)YearOf(halves[0]), (int)YearOf(halves[^1]) - (int)YearOf(halves[0]) + 2).Select(year => (double)year)],
            YTicks = [0, 0.25, 0.5, 0.75, 1],
            Series = [.. Traits.Select(trait => new ChartSeries($"{trait.Name}: {trait.Newer}", [.. halves.Select(half =>
            {
                ZooTrend[] own = [.. trends.Where(trend => trend.Trait == trait)];
                return (YearOf(half), own.Where(trend => trait.IsNewer(trend.Value)).Sum(trend => (double)trend.ByHalf[half]) / own.Sum(trend => trend.ByHalf[half]));
            })]))],
        };
    }

    private static LayerConfig? Attending(ModelConfig config) => config.Layers.FirstOrDefault(layer => layer.Kind == LayerKind.Attention);

    private static string Ratio(ModelConfig config)
    {
        double ratio = config.Layers.Average(layer => (double)layer.IntermediateSize) / config.HiddenSize;
        return Math.Abs(ratio - 4) <= RatioSlack * 4 ? "4" : Math.Abs(ratio - 3) <= RatioSlack * 3 ? "3" : ratio < 2.5 ? "under 2.5" : ratio < 3 ? "2.5 to 3" : ratio < 4 ? "3 to 4" : "over 4";
    }

    // 2024-05 is 2024H1.
    private static string HalfOf(string date) => $"{date[..4]}H{(int.Parse(date[5..7], CultureInfo.InvariantCulture) <= 6 ? 1 : 2)}";

    private static double YearOf(string half) => double.Parse(half[..4], CultureInfo.InvariantCulture) + (half[^1] == '1' ? 0.25 : 0.75);
}

/// <summary>A way to tell architectures apart.</summary>
/// <param name="Name">What it is about.</param>
/// <param name="Newer">The form that spreads.</param>
/// <param name="Of">An architecture's form.</param>
/// <param name="IsNewer">Whether a form is the newer one.</param>
public sealed record ZooTrait(string Name, string Newer, Func<ModelConfig, string> Of, Func<string, bool> IsNewer);

/// <summary>How many models have a form.</summary>
/// <param name="Trait">What it is about.</param>
/// <param name="Value">The form.</param>
/// <param name="Count">Models.</param>
/// <param name="ByHalf">By half-year, in order.</param>
public sealed record ZooTrend(ZooTrait Trait, string Value, int Count, IReadOnlyDictionary<string, int> ByHalf);
