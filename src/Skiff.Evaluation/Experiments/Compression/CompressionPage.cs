using System.Text;
using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>The compression experiment's figures as tables.</summary>
internal static class CompressionPage
{
    public static string Write(IReadOnlyDictionary<string, JsonObject> figures)
    {
        StringBuilder page = new();
        foreach (CompressionTier tier in CompressionTier.All.Where(tier => figures.ContainsKey($"{tier.Name}-teacher-1")))
            new CompressionTables(tier, figures, page).Write();
        foreach ((string step, JsonObject measured) in figures.Where(step => step.Key.EndsWith("-quantization", StringComparison.Ordinal)))
        {
            Markdown.Title(page, $"Number types: {step[..^"-quantization".Length]}");
            Markdown.Table(page, [["type", "way", "bytes of matrices", "KL to f32", "bits/byte", "same likeliest token"], .. measured["rows"]!.AsArray().Select(row => (string[])
            [
                row!["type"]!.ToString(), row["way"]!.ToString(), $"{(long)row["bytes"]!:N0}", Markdown.Text((double)row["kl"]!, "0.00000"), Markdown.Text((double)row["bits_per_byte"]!, "0.0000"),
                Markdown.Text((double)row["same_top"]!, "0.0%"),
            ])]);
        }

        return page.ToString();
    }
}
