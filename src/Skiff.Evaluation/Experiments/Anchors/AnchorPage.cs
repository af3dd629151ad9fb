using System.Globalization;
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
            Title(page, $"{size.Name}: {size.Shape}");
            new AnchorTables(size, figures, page).Write();
        }

        return page.ToString();
    }

    public static IReadOnlyDictionary<string, string> Pictures(IReadOnlyDictionary<string, JsonObject> figures) =>
        SizesOf(figures).ToDictionary(size => $"{size.Name}.svg", size => new AnchorTables(size, figures, new StringBuilder()).Chart().ToSvg());

    private static IEnumerable<AnchorModelSize> SizesOf(IReadOnlyDictionary<string, JsonObject> figures) =>
        new[] { AnchorModelSize.Small, AnchorModelSize.Medium, AnchorModelSize.Smoke }.Where(size => figures.ContainsKey($"{size.Name}-1-base"));

    public static void Title(StringBuilder page, string text) => page.Append(page.Length > 0 ? "\n" : "").Append("## ").Append(text).Append("\n\n");

    public static void Table(StringBuilder page, params IEnumerable<string[]> rows)
    {
        bool head = true;
        foreach (string[] row in rows)
        {
            page.Append("| ").AppendJoin(" | ", row).Append(" |\n");
            if (head)
                page.Append('|').Append(string.Concat(row.Select((_, i) => i == 0 ? " --- |" : " ---: |"))).Append('\n');
            head = false;
        }

        page.Append('\n');
    }

    public static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
