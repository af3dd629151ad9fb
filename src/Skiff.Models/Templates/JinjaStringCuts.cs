using System.Text;

namespace Skiff.Models;

/// <summary>The string methods that cut a text: strip, split, partition, replace.</summary>
internal static class JinjaStringCuts
{
    public static string Strip(JinjaCall call, bool start, bool end) =>
        Strip(call.SelfText, call.HasValue(0) ? call.Text(0) : null, start, end);

    /// <summary>The text without the given characters, or white space, at its ends.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        if (characters is null)
        {
            text = start ? JinjaText.TrimStart(text) : text;
            return end ? JinjaText.TrimEnd(text) : text;
        }

        HashSet<string> set = [.. JinjaText.CodePoints(characters)];
        int first = 0;
        int last = text.Length;
        while (start && first < last)
        {
            int size = last - first > 1 && char.IsSurrogatePair(text[first], text[first + 1]) ? 2 : 1;
            if (!set.Contains(text.Substring(first, size)))
                break;
            first += size;
        }

        while (end && last > first)
        {
            int size = last - first > 1 && char.IsSurrogatePair(text[last - 2], text[last - 1]) ? 2 : 1;
            if (!set.Contains(text.Substring(last - size, size)))
                break;
            last -= size;
        }

        return text[first..last];
    }

    public static JinjaList Split(JinjaCall call, bool fromEnd)
    {
        string text = call.SelfText;
        long limit = call.Integer(1, -1);
        if (!call.HasValue(0))
            return Parts(call, fromEnd ? WordsFromEnd(text, limit) : JinjaText.Words(text, limit));
        string separator = call.Text(0);
        if (separator.Length == 0)
            throw call.Fail("has an empty separator");
        call.Runtime.Search(text, separator);
        List<string> parts = [];
        if (fromEnd)
        {
            int end = text.Length;
            while (limit != parts.Count && end >= separator.Length && text.AsSpan(0, end).LastIndexOf(separator) is int at and >= 0)
            {
                parts.Add(text[(at + separator.Length)..end]);
                end = at;
            }

            parts.Add(text[..end]);
            parts.Reverse();
            return Parts(call, parts);
        }

        int start = 0;
        while (limit != parts.Count && text.IndexOf(separator, start, StringComparison.Ordinal) is int at and >= 0)
        {
            parts.Add(text[start..at]);
            start = at + separator.Length;
        }

        parts.Add(text[start..]);
        return Parts(call, parts);
    }

    /// <summary>A list of texts, marked safe where the object is.</summary>
    public static JinjaList Parts(JinjaCall call, IReadOnlyList<string> parts)
    {
        call.Runtime.Reserve(parts.Sum(part => (long)part.Length));
        return call.Runtime.List([.. parts.Select(part => call.Self is JinjaMarkup ? new JinjaMarkup(part) : (object?)part)]);
    }

    public static JinjaList Partition(JinjaCall call, bool fromEnd)
    {
        string text = call.SelfText;
        string separator = call.Text(0);
        if (separator.Length == 0)
            throw call.Fail("has an empty separator");
        call.Runtime.Search(text, separator);
        int at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        string[] parts = at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]] : fromEnd ? ["", "", text] : [text, "", ""];
        JinjaList list = Parts(call, parts);
        return call.Runtime.List(list.Items, isTuple: true);
    }

    /// <summary>Replaces up to count places (all when negative); an empty text is found before, between and after all characters.</summary>
    public static string Replace(JinjaRuntime runtime, string text, string old, string replacement, long count)
    {
        StringBuilder replaced = new();
        runtime.Search(text, old);
        int start = 0;
        if (old.Length == 0)
        {
            runtime.Reserve((long)Int128.Min((Int128)(text.Length + 1) * replacement.Length + text.Length, long.MaxValue));
            foreach (string point in JinjaText.CodePoints(text))
            {
                if (count-- == 0)
                    return replaced.Append(text, start, text.Length - start).ToString();
                replaced.Append(replacement).Append(point);
                start += point.Length;
            }

            return replaced.Append(count != 0 ? replacement : "").ToString();
        }

        while (count-- != 0 && text.IndexOf(old, start, StringComparison.Ordinal) is int at and >= 0)
        {
            runtime.Step();
            replaced.Append(text, start, at - start).Append(replacement);
            if (replaced.Length > runtime.Options.MaxOutput)
                runtime.Reserve(replaced.Length);
            start = at + old.Length;
        }

        return replaced.Append(text, start, text.Length - start).ToString();
    }

    private static List<string> WordsFromEnd(string text, long limit)
    {
        List<string> words = [];
        int at = text.Length;
        while (true)
        {
            while (at > 0 && JinjaText.IsSpace(text[at - 1]))
                at--;
            if (at == 0)
                break;
            if (words.Count == limit)
            {
                words.Add(text[..at]);
                break;
            }

            int end = at;
            while (at > 0 && !JinjaText.IsSpace(text[at - 1]))
                at--;
            words.Add(text[at..end]);
        }

        words.Reverse();
        return words;
    }
}
