namespace Skiff.Models;

/// <summary>The string methods that search; positions count code points.</summary>
internal static class JinjaStringSearch
{
    public static long Find(JinjaCall call, bool last)
    {
        string text = call.SelfText;
        string part = call.Text(0);
        if (!TryRange(call, out string range, out long offset))
            return -1;
        call.Runtime.Search(text, part);
        // Python finds an empty text last at the very end.
        int at = last ? (part.Length == 0 ? range.Length : range.LastIndexOf(part, StringComparison.Ordinal)) : range.IndexOf(part, StringComparison.Ordinal);
        return at < 0 ? -1 : offset + JinjaText.Length(range[..at]);
    }

    public static object Count(JinjaCall call)
    {
        string part = call.Text(0);
        if (!TryRange(call, out string range, out _))
            return 0L;
        call.Runtime.Search(range, part);
        return part.Length == 0 ? JinjaText.Length(range) + 1L : (long)range.AsSpan().Count(part);
    }

    public static object Affix(JinjaCall call, bool atEnd)
    {
        string[] candidates;
        if (call.Value(0) is JinjaList { IsTuple: true } tuple)
            candidates = [.. tuple.Items.Select(item => JinjaTypes.TryText(item, out string text) ? text : throw call.Fail("takes a text or a tuple of texts"))];
        else
            candidates = [call.Text(0)];
        if (!TryRange(call, out string range, out _))
            return false;
        return candidates.Any(text => atEnd ? range.EndsWith(text, StringComparison.Ordinal) : range.StartsWith(text, StringComparison.Ordinal));
    }

    // The part of the text between the optional start and end; false where the start lies beyond the end.
    private static bool TryRange(JinjaCall call, out string range, out long offset)
    {
        range = call.SelfText;
        offset = 0;
        if (!call.HasValue(1) && !call.HasValue(2))
            return true;
        long length = JinjaText.Length(range);
        offset = call.HasValue(1) ? call.Integer(1) : 0;
        long end = call.HasValue(2) ? call.Integer(2) : length;
        offset = offset < 0 ? Math.Max(0, offset + length) : offset;
        end = end < 0 ? Math.Max(0, end + length) : Math.Min(end, length);
        if (offset > end)
            return false;
        range = JinjaText.Substring(range, offset, end);
        return true;
    }
}
