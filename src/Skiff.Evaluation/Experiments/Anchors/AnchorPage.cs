using System.Text;
using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>The anchor experiment's figures as tables.</summary>
internal static class AnchorPage
{
    public static string Write(IReadOnlyDictionary<string, JsonObject> figures)
    {
        StringBuilder page = new();
        foreach (AnchorModelSize size in SizesOf(figures))
        {
            Markdown.Title(page, $"{size.Name}: {size.Shape}");
            new AnchorTables(size, figures, page).Write();
        }

        return page.ToString();
    }

    public static IReadOnlyDictionary<string, string> Pictures(IReadOnlyDictionary<string, JsonObject> figures) =>
        SizesOf(figures).ToDictionary(size => $"{size.Name}.svg", size => new AnchorTables(size, figures, new StringBuilder()).Chart().ToSvg());

    private static IEnumerable<AnchorModelSize> SizesOf(IReadOnlyDictionary<string, JsonObject> figures) =>
        new[] { AnchorModelSize.Small, AnchorModelSize.Medium, AnchorModelSize.Smoke }.Where(size => figures.ContainsKey($"{size.Name}-1-base"));
}
