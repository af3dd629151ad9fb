using System.Buffers;
using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>The filters on texts.</summary>
internal static class JinjaTextFilters
{
    private static readonly SearchValues<char> InvalidInName = SearchValues.Create(" \t\n\r\f\v/>=");

    public static JinjaFunctionTable Table { get; } = new()
    {
        { "upper", "", call => call.Wrap(JinjaCase.Upper(call.SelfText)) },
        { "lower", "", call => call.Wrap(JinjaCase.Lower(call.SelfText)) },
        { "capitalize", "", call => call.Wrap(JinjaCase.Capitalize(call.SelfText)) },
        { "title", "", call => call.Runtime.Text(Title(call.SelfText)) },
        { "trim", "chars?", call => call.Wrap(JinjaStringCuts.Strip(call, start: true, end: true)) },
        { "string", "", call => call.Self is JinjaMarkup ? call.Self : call.SelfText },
        { "replace", "old new count?", Replace },
        { "center", "width?", call => call.Wrap(JinjaStringMethods.Center(call.Runtime, call.SelfText, call.Integer(0, 80))) },
        { "indent", "width? first? blank?", Indent },
        { "truncate", "length? killwords? end? leeway?", Truncate },
        { "wordwrap", "width? break_long_words? wrapstring? break_on_hyphens?", JinjaWordWrap.Filter },
        { "wordcount", "", call => WordCount(call.SelfText) },
        { "format", "* **", Format },
        { "escape", "", Escape },
        { "e", "", Escape },
        { "forceescape", "", call => new JinjaMarkup(call.Runtime.Text(JinjaText.Escape(call.SelfText))) },
        { "safe", "", call => new JinjaMarkup(call.SelfText) },
        { "striptags", "", call => new JinjaMarkup(call.Runtime.Text(StripTags(call.SelfText))).Text },
        { "urlencode", "", UrlEncode },
        { "xmlattr", "autospace?", XmlAttributes },
        { "tojson", "ensure_ascii? indent? separators? sort_keys?", JinjaJson.Filter },
    };

    private static object Escape(JinjaCall call) => call.Self is JinjaMarkup ? call.Self : new JinjaMarkup(call.Runtime.Text(JinjaText.Escape(call.SelfText)));

    private static string Title(string text)
    {
        StringBuilder title = new();
        for (int start = 0; start < text.Length;)
        {
            // A word ends before white space, a hyphen or an opening bracket, and such a run is a piece of its own.
            bool separator = IsSeparator(text[start]);
            int end = start + 1;
            while (end < text.Length && IsSeparator(text[end]) == separator)
                end++;
            int first = start + 1 < end && char.IsSurrogatePair(text[start], text[start + 1]) ? start + 2 : start + 1;
            title.Append(JinjaCase.Upper(text[start..first])).Append(JinjaCase.Lower(text[first..end]));
            start = end;
        }

        return title.ToString();
    }

    private static bool IsSeparator(char c) => c is '-' or '(' or '{' or '[' or '<' || JinjaText.IsSpace(c);

    private static object Replace(JinjaCall call)
    {
        string old = JinjaRepr.Str(call.Runtime, call.Value(0));
        string replacement = JinjaRepr.Str(call.Runtime, call.Value(1));
        long count = call.HasValue(2) ? call.Integer(2) : -1;
        return call.Runtime.Text(JinjaStringCuts.Replace(call.Runtime, call.SelfText, old, replacement, count));
    }

    private static object Indent(JinjaCall call)
    {
        string indent = call.Has(0) && JinjaTypes.TryText(call.Value(0), out string given) ? given
            : call.Integer(0, 4) is var width && width <= 1000 ? new string(' ', (int)Math.Max(0, width)) : throw call.Fail("indents by at most 1000 characters");
        if (!JinjaTypes.TryText(call.Self, out string text))
            throw call.Fail($"asks for a text, not a {JinjaTypes.Name(call.Self)}");
        string[] lines = JinjaText.SplitLines(text + "\n");
        call.Runtime.Reserve(text.Length + ((long)indent.Length * lines.Length));
        bool blank = call.Truth(2);
        StringBuilder indented = new(call.Truth(1) ? indent : "");
        for (int i = 0; i < lines.Length; i++)
        {
            if (i > 0)
                indented.Append('\n').Append(blank || lines[i].Length > 0 ? indent : "");
            indented.Append(lines[i]);
        }

        return call.Wrap(indented.ToString());
    }

    private static object Truncate(JinjaCall call)
    {
        long length = call.Integer(0, 255);
        string end = call.Text(2, "...");
        long leeway = call.HasValue(3) ? call.Integer(3) : 5;
        int endLength = JinjaText.Length(end);
        if (length < endLength || leeway < 0)
            throw call.Fail("asks for a length of at least its end's and a leeway of at least 0");
        if (JinjaTypes.TryLength(call.Runtime, call.Self, out long whole) && whole <= (Int128)length + leeway)
            return call.Self!;
        if (!JinjaTypes.TryText(call.Self, out string text))
            throw call.Fail($"asks for a text, not a {JinjaTypes.Name(call.Self)}");
        string cut = JinjaText.Substring(text, 0, length - endLength);
        int space = cut.LastIndexOf(' ');
        return call.Wrap((call.Truth(1) || space < 0 ? cut : cut[..space]) + end);
    }

    private static long WordCount(string text)
    {
        long words = 0;
        bool inside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isWord = rune.Value == '_' || JinjaText.IsLetterOrNumber(rune);
            words += isWord && !inside ? 1 : 0;
            inside = isWord;
        }

        return words;
    }

    private static object Format(JinjaCall call)
    {
        if (call.Arguments.Positional.Count > 0 && call.Arguments.Named.Count > 0)
            throw call.Fail("takes arguments by place or by name, not both");
        JinjaDict named = new();
        foreach ((string name, object? value) in call.Arguments.Named)
            named.Set(name, value);
        object arguments = named.Count > 0 ? named : call.Runtime.List(call.Arguments.Positional, isTuple: true);
        string formatted = JinjaPercentFormat.Apply(call.Runtime, call.SelfText, arguments, escape: call.Self is JinjaMarkup);
        return call.Self is JinjaMarkup ? new JinjaMarkup(formatted) : formatted;
    }

    private static string StripTags(string text)
    {
        string words = string.Join(' ', JinjaText.Words(Without(Without(text, "<!--", "-->"), "<", ">")));
        return System.Net.WebUtility.HtmlDecode(words);
    }

    private static string Without(string text, string open, string close)
    {
        StringBuilder kept = new();
        int at = 0;
        while (text.IndexOf(open, at, StringComparison.Ordinal) is int start and >= 0 && text.IndexOf(close, start, StringComparison.Ordinal) is int end and >= 0)
        {
            kept.Append(text, at, start - at);
            at = end + close.Length;
        }

        return kept.Append(text, at, text.Length - at).ToString();
    }

    private static object UrlEncode(JinjaCall call)
    {
        if (JinjaTypes.TryText(call.Self, out string text) || !JinjaTypes.IsIterable(call.Runtime, call.Self))
            return call.Runtime.Text(Quote(JinjaTypes.TryText(call.Self, out text) ? text : call.SelfText, keepSlash: true));
        IEnumerable<object?> pairs = call.Self is JinjaDict dict ? JinjaContainerMethods.Pairs(call.Runtime, dict).Items : JinjaTypes.Items(call.Runtime, call.Self);
        return call.Runtime.Text(string.Join('&', pairs.Select(pair =>
        {
            object?[] parts = JinjaTypes.Items(call.Runtime, pair);
            if (parts.Length != 2)
                throw call.Fail("asks for pairs of name and value");
            return string.Join('=', parts.Select(part => Quote(JinjaRepr.Str(call.Runtime, part), keepSlash: false).Replace("%20", "+", StringComparison.Ordinal)));
        })));
    }

    private static string Quote(string text, bool keepSlash)
    {
        StringBuilder quoted = new();
        foreach (byte unit in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)unit) || unit is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~' || (keepSlash && unit == '/'))
                quoted.Append((char)unit);
            else
                quoted.Append(CultureInfo.InvariantCulture, $"%{unit:X2}");
        }

        return quoted.ToString();
    }

    private static object XmlAttributes(JinjaCall call)
    {
        if (call.Self is not JinjaDict dict)
            throw call.Fail($"asks for a dict, not a {JinjaTypes.Name(call.Self)}");
        List<string> attributes = [];
        foreach ((object? key, object? value) in dict.Entries)
        {
            if (value is null or JinjaUndefined)
                continue;
            if (!JinjaTypes.TryText(key, out string name) || name.AsSpan().ContainsAny(InvalidInName))
                throw call.Fail("finds an invalid attribute name");
            string text = JinjaRepr.Str(call.Runtime, value);
            attributes.Add($"{(key is JinjaMarkup ? name : JinjaText.Escape(name))}=\"{(value is JinjaMarkup ? text : JinjaText.Escape(text))}\"");
        }

        string joined = string.Join(' ', attributes);
        return call.Runtime.Text(call.Truth(0, true) && joined.Length > 0 ? " " + joined : joined);
    }
}
