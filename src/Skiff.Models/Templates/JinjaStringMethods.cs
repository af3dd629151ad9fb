using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>The methods of Python's <c>str</c>; cutting and searching have files of their own.</summary>
internal static class JinjaStringMethods
{
    private static readonly JinjaFunctionTable Methods = new()
    {
        { "upper", "/", call => call.Wrap(JinjaCase.Upper(call.SelfText)) },
        { "lower", "/", call => call.Wrap(JinjaCase.Lower(call.SelfText)) },
        { "casefold", "/", call => call.Wrap(JinjaCase.Fold(call.SelfText)) },
        { "title", "/", call => call.Wrap(JinjaCase.Title(call.SelfText)) },
        { "capitalize", "/", call => call.Wrap(JinjaCase.Capitalize(call.SelfText)) },
        { "swapcase", "/", call => call.Wrap(JinjaCase.Swap(call.SelfText)) },
        { "strip", "/ chars?", call => call.Wrap(JinjaStringCuts.Strip(call, start: true, end: true)) },
        { "lstrip", "/ chars?", call => call.Wrap(JinjaStringCuts.Strip(call, start: true, end: false)) },
        { "rstrip", "/ chars?", call => call.Wrap(JinjaStringCuts.Strip(call, start: false, end: true)) },
        { "split", "sep? maxsplit?", call => JinjaStringCuts.Split(call, fromEnd: false) },
        { "rsplit", "sep? maxsplit?", call => JinjaStringCuts.Split(call, fromEnd: true) },
        { "splitlines", "keepends?", call => JinjaStringCuts.Parts(call, JinjaText.SplitLines(call.SelfText, call.Truth(0))) },
        { "partition", "/ sep", call => JinjaStringCuts.Partition(call, fromEnd: false) },
        { "rpartition", "/ sep", call => JinjaStringCuts.Partition(call, fromEnd: true) },
        { "removeprefix", "/ prefix", call => call.Wrap(call.SelfText.StartsWith(call.Text(0), StringComparison.Ordinal) ? call.SelfText[call.Text(0).Length..] : call.SelfText) },
        { "removesuffix", "/ suffix", call => call.Wrap(call.SelfText.EndsWith(call.Text(0), StringComparison.Ordinal) ? call.SelfText[..^call.Text(0).Length] : call.SelfText) },
        { "replace", "/ old new count?", call => call.Wrap(JinjaStringCuts.Replace(call.Runtime, call.SelfText, call.Text(0), call.Joined(1), call.Integer(2, -1))) },
        { "startswith", "/ prefix start? end?", call => JinjaStringSearch.Affix(call, atEnd: false) },
        { "endswith", "/ suffix start? end?", call => JinjaStringSearch.Affix(call, atEnd: true) },
        { "find", "/ sub start? end?", call => JinjaStringSearch.Find(call, last: false) },
        { "rfind", "/ sub start? end?", call => JinjaStringSearch.Find(call, last: true) },
        { "index", "/ sub start? end?", call => JinjaStringSearch.Find(call, last: false) is var at and >= 0 ? at : throw call.Fail("does not find the text") },
        { "rindex", "/ sub start? end?", call => JinjaStringSearch.Find(call, last: true) is var at and >= 0 ? at : throw call.Fail("does not find the text") },
        { "count", "/ sub start? end?", JinjaStringSearch.Count },
        { "join", "/ iterable", Join },
        { "format", "* **", call => call.Wrap(JinjaFormat.Apply(call.Runtime, call.SelfText, call.Arguments, escape: call.Self is JinjaMarkup)) },
        { "format_map", "/ mapping", FormatMap },
        { "center", "/ width fillchar?", call => Pad(call, left: true, right: true) },
        { "ljust", "/ width fillchar?", call => Pad(call, left: false, right: true) },
        { "rjust", "/ width fillchar?", call => Pad(call, left: true, right: false) },
        { "zfill", "/ width", ZeroFill },
        { "expandtabs", "tabsize?", ExpandTabs },
        { "isalpha", "/", call => All(call, JinjaText.IsLetter) },
        { "isdigit", "/", call => All(call, rune => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber || IsDigitLike(rune)) },
        { "isdecimal", "/", call => All(call, rune => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber) },
        { "isnumeric", "/", call => All(call, rune => Rune.IsNumber(rune)) },
        { "isalnum", "/", call => All(call, JinjaText.IsLetterOrNumber) },
        { "isspace", "/", call => All(call, rune => rune.IsBmp && JinjaText.IsSpace((char)rune.Value)) },
        { "isascii", "/", call => Ascii.IsValid(call.SelfText) },
        { "isupper", "/", call => IsUpper(call.SelfText) },
        { "islower", "/", call => IsLower(call.SelfText) },
        { "istitle", "/", call => call.SelfText.EnumerateRunes().Any(JinjaText.IsCased) && JinjaCase.Title(call.SelfText) == call.SelfText },
        { "isidentifier", "/", call => IsIdentifier(call.SelfText) },
    };

    public static JinjaFunction? Find(string name) => Methods.Find(name);

    public static bool IsUpper(string text) => text.EnumerateRunes().Any(JinjaText.IsCased)
        && text.EnumerateRunes().All(rune => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter));

    public static bool IsLower(string text) => text.EnumerateRunes().Any(JinjaText.IsCased)
        && text.EnumerateRunes().All(rune => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter));

    /// <summary>The text in the middle of a field of this width; Python gives an odd space to the left in an odd field.</summary>
    public static string Center(JinjaRuntime runtime, string text, long width, string fill = " ")
    {
        long missing = Missing(runtime, text, width);
        long left = (missing / 2) + (missing & width & 1);
        return Fill(fill, left) + text + Fill(fill, missing - left);
    }

    private static bool All(JinjaCall call, Func<Rune, bool> holds) => call.SelfText.Length > 0 && call.SelfText.EnumerateRunes().All(holds);

    // Superscripts and circled digits count as digits, though not as decimals.
    private static bool IsDigitLike(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.OtherNumber
        && rune.IsBmp && CharUnicodeInfo.GetDigitValue((char)rune.Value) >= 0;

    private static bool IsIdentifier(string text) => text.Length > 0 && (char.IsLetter(text[0]) || text[0] == '_')
        && text.All(c => c == '_' || char.IsLetterOrDigit(c));

    private static object Join(JinjaCall call)
    {
        string[] parts = [.. JinjaTypes.Items(call.Runtime, call.Value(0)).Select(item => JinjaTypes.TryText(item, out string part)
            ? call.Self is JinjaMarkup && item is not JinjaMarkup ? JinjaText.Escape(part) : part
            : throw call.Fail($"joins texts, not a {JinjaTypes.Name(item)}"))];
        call.Runtime.Reserve(parts.Sum(part => (long)part.Length) + ((long)call.SelfText.Length * Math.Max(0, parts.Length - 1)));
        return call.Wrap(string.Join(call.SelfText, parts));
    }

    private static object FormatMap(JinjaCall call)
    {
        if (call.Value(0) is not JinjaDict dict)
            throw call.Wrong(0, "a dict");
        Dictionary<string, object?> named = [];
        foreach ((object? key, object? value) in dict.Entries)
        {
            if (JinjaTypes.TryText(key, out string name))
                named[name] = value;
        }

        return call.Wrap(JinjaFormat.Apply(call.Runtime, call.SelfText, new([], named), escape: call.Self is JinjaMarkup));
    }

    private static object Pad(JinjaCall call, bool left, bool right)
    {
        string fill = call.Text(1, " ");
        if (JinjaText.Length(fill) != 1)
            throw call.Fail("fills with exactly one character");
        fill = call.Joined(1, " ");
        if (left && right)
            return call.Wrap(Center(call.Runtime, call.SelfText, call.Integer(0), fill));
        string padding = Fill(fill, Missing(call.Runtime, call.SelfText, call.Integer(0)));
        return call.Wrap(left ? padding + call.SelfText : call.SelfText + padding);
    }

    private static long Missing(JinjaRuntime runtime, string text, long width)
    {
        long missing = Math.Max(0, width - JinjaText.Length(text));
        runtime.Reserve((long)Int128.Min((Int128)missing * 5 + text.Length, long.MaxValue));
        return missing;
    }

    private static string Fill(string fill, long count) => count == 0 ? "" : new StringBuilder().Insert(0, fill, (int)count).ToString();

    private static object ZeroFill(JinjaCall call)
    {
        string text = call.SelfText;
        string zeros = Fill("0", Missing(call.Runtime, text, call.Integer(0)));
        bool signed = text.Length > 0 && text[0] is '+' or '-';
        return call.Wrap(signed ? text[0] + zeros + text[1..] : zeros + text);
    }

    private static object ExpandTabs(JinjaCall call)
    {
        long size = call.Integer(0, 8);
        StringBuilder expanded = new();
        long column = 0;
        foreach (char c in call.SelfText)
        {
            if (c == '\t')
            {
                long spaces = size > 0 ? size - (column % size) : 0;
                call.Runtime.Reserve(expanded.Length + spaces);
                expanded.Append(' ', (int)spaces);
                column += spaces;
                continue;
            }

            expanded.Append(c);
            column = c is '\n' or '\r' ? 0 : column + 1;
        }

        return call.Wrap(expanded.ToString());
    }
}
