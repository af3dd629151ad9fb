using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>Python's view of a text: a sequence of code points, with Python's character classes.</summary>
internal static class JinjaText
{
    public static int Length(string text)
    {
        int length = text.Length;
        if (HasSurrogates(text))
        {
            for (int i = 1; i < text.Length; i++)
            {
                if (char.IsSurrogatePair(text[i - 1], text[i]))
                    length--;
            }
        }

        return length;
    }

    /// <summary>The code points, each as a text; a lone surrogate counts as one.</summary>
    public static IEnumerable<string> CodePoints(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                yield return text.Substring(i++, 2);
            else
                yield return text[i].ToString();
        }
    }

    public static bool HasSurrogates(string text) => text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff') >= 0;

    /// <summary>The UTF-16 position of a code point, or the text's length.</summary>
    public static int Offset(string text, long codePoint)
    {
        if (!HasSurrogates(text))
            return (int)Math.Min(codePoint, text.Length);
        int at = 0;
        for (; codePoint > 0 && at < text.Length; codePoint--)
            at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
        return at;
    }

    /// <summary>The code points from start to stop, both inside the text.</summary>
    public static string Substring(string text, long start, long stop)
    {
        if (stop <= start)
            return "";
        int first = Offset(text, start);
        int last = HasSurrogates(text) ? Offset(text, stop) : (int)Math.Min(stop, text.Length);
        return text[first..last];
    }

    /// <summary>Whether Python's <c>str.isspace</c> holds; C# leaves out the four separators below the space.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    public static string TrimStart(string text)
    {
        int start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    public static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    public static bool IsLetter(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    /// <summary>Whether <c>isalnum</c> holds: letters, decimal digits and other numbers.</summary>
    public static bool IsLetterOrNumber(Rune rune) => IsLetter(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber
        or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Whether the code point has an upper, lower or title case of its own.</summary>
    public static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    public static string[] SplitLines(string text, bool keepEnds = false)
    {
        List<string> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = text.AsSpan(start).IndexOfAny(LineEnds);
            if (end < 0)
            {
                lines.Add(text[start..]);
                break;
            }

            end += start;
            int next = end + (text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? 2 : 1);
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }

        return [.. lines];
    }

    /// <summary>The pieces between runs of white space, as <c>str.split()</c> gives them.</summary>
    public static List<string> Words(string text, long limit = -1)
    {
        List<string> words = [];
        int at = 0;
        while (true)
        {
            while (at < text.Length && IsSpace(text[at]))
                at++;
            if (at == text.Length)
                return words;
            if (words.Count == limit)
            {
                words.Add(text[at..]);
                return words;
            }

            int start = at;
            while (at < text.Length && !IsSpace(text[at]))
                at++;
            words.Add(text[start..at]);
        }
    }

    public static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    private static readonly System.Buffers.SearchValues<char> LineEnds = System.Buffers.SearchValues.Create("\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029");
}
