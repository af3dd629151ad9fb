using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Models;
using Skiff.Tests.EndToEnd;

namespace Skiff.Tests.Evaluation;

public sealed class ZooTrendsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Each model counts once under each trait, and well-known ones under what is known of them.
    [Fact]
    public void EveryModelIsCountedOnce()
    {
        IReadOnlyList<ZooTrend> trends = ZooTrends.Of(Zoo.Entries);
        foreach (ZooTrait trait in ZooTrends.Traits)
        {
            Assert.Equal(Zoo.Entries.Count, trends.Where(trend => trend.Trait == trait).Sum(trend => trend.Count));
            Assert.All(trends.Where(trend => trend.Trait == trait), trend => Assert.Equal(trend.Count, trend.ByHalf.Values.Sum()));
        }

        Assert.Equal(["each head its own", "plain", "4", "Relu", "LayerNorm", "to 52,000", "head and embedding"], Of("opt-1.3b"));
        Assert.Equal(["grouped", "gated", "over 4", "Silu", "RMSNorm", "to 200,000", "head and embedding"], Of("qwen2-0.5b"));
        Assert.Equal("one for all", Of("gemma-2b")[0]);
        Assert.Equal("latent", Of("minicpm3-4b")[0]);
        Assert.Equal("one feed-forward", Of("mobillama-0.5b")[6]);

        static string[] Of(string name) => [.. ZooTrends.Traits.Select(trait => trait.Of(Zoo.Find(name).Config))];
    }

    // What the survey saw: gates, RMSNorm and grouped heads spread, all of them from 2022 to 2024.
    [Fact]
    public void NewerFormsSpread()
    {
        string table = CommandLine.Output("zoo", "--compare", "--plot", _folder.File("trends.svg"));
        Assert.Contains("2022H1", table);
        Assert.StartsWith("<svg", File.ReadAllText(_folder.File("trends.svg")), StringComparison.Ordinal);
        JsonNode[] lines = [.. CommandLine.Output("zoo", "--compare", "--json").Trim().Split('\n').Select(line => JsonNode.Parse(line)!)];
        foreach ((string trait, string form) in new[] { ("feed-forward", "gated"), ("norm", "RMSNorm"), ("attention", "grouped") })
            Assert.True(Share(trait, form, "2022") < Share(trait, form, "2023") && Share(trait, form, "2023") < Share(trait, form, "2024"), trait);

        double Share(string trait, string form, string year)
        {
            JsonNode[] own = [.. lines.Where(line => line["trait"]!.ToString() == trait)];
            return own.Where(line => line["form"]!.ToString() == form).Sum(line => Count(line)) / own.Sum(line => Count(line));

            double Count(JsonNode line) => line["by_half_year"]!.AsObject().Where(pair => pair.Key.StartsWith(year, StringComparison.Ordinal)).Sum(pair => (double)pair.Value!);
        }
    }
}
