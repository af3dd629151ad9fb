using System.Globalization;
using System.Text;

namespace Skiff.Evaluation;

/// <summary>Reads a list of texts and numbers as Python prints it: what a template of choices renders to.</summary>
internal static class PythonLiteral
{
    /// <summary>The items as texts, or null where the text is no such list.</summary>
    public static IReadOnlyList<string>? List(string text)
    {
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.Length < 2 || (rest[0], rest[^1]) is not (('[', ']') or ('(', ')')))
            return null;
        rest = rest[1..^1].Trim();
        List<string> items = [];
        while (rest.Length > 0)
        {
            if (!Item(ref rest, out string item))
                return null;
            items.Add(item);
            rest = rest.TrimStart();
            if (rest.Length == 0)
                break;
            if (rest[0] != ',')
                return null;
            rest = rest[1..].TrimStart();
        }

        return items;
    }

    private static bool Item(ref ReadOnlySpan<char> rest, out string item)
    {
        char quote = rest[0];
        if (quote is not ('\'' or '"'))
        {
            int end = rest.IndexOf(',');
            ReadOnlySpan<char> plain = (end < 0 ? rest : rest[..end]).Trim();
            rest = end < 0 ? [] : rest[end..];
            item = plain.ToString();
            return double.TryParse(plain, NumberStyles.Float, CultureInfo.InvariantCulture, out _) || item is "True" or "False" or "None";
        }

        StringBuilder text = new();
        for (int i = 1; i < rest.Length; i++)
        {
            char c = rest[i];
            if (c == quote)
            {
                rest = rest[(i + 1)..];
                item = text.ToString();
                return true;
            }

            if (c != '\\')
            {
                text.Append(c);
                continue;
            }

            if (++i >= rest.Length || !Escape(rest, ref i, text))
                break;
        }

        item = "";
        return false;
    }

    private static bool Escape(ReadOnlySpan<char> text, ref int at, StringBuilder to)
    {
        int digits = text[at] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (at + digits >= text.Length || !int.TryParse(text.Slice(at + 1, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int code) || !Rune.IsValid(code))
                return false;
            to.Append(new Rune(code).ToString());
            at += digits;
            return true;
        }

        to.Append(text[at] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var other => other });
        return true;
    }
}
