using System.Globalization;
using System.Text;

namespace Skiff.Evaluation;

/// <summary>What experiments' pages are written with.</summary>
internal static class Markdown
{
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
