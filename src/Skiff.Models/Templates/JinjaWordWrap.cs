using System.Text.RegularExpressions;

namespace Skiff.Models;

/// <summary>The <c>wordwrap</c> filter, which is Python's <c>textwrap.wrap</c> on every line.</summary>
internal static partial class JinjaWordWrap
{
    private const int LongestDash = 1000;

    public static object Filter(JinjaCall call)
    {
        long width = call.Integer(0, 79);
        string separator = call.HasValue(2) ? call.Text(2) : "\n";
        if (width <= 0)
            throw call.Fail("asks for a width over 0");
        if (!JinjaTypes.TryText(call.Self, out string text))
            throw call.Fail($"asks for a text, not a {JinjaTypes.Name(call.Self)}");
        // The pattern below looks to the end of every run of hyphens from each place in it.
        if (text.Contains(new string('-', LongestDash), StringComparison.Ordinal))
            throw call.Fail($"wraps no text with {LongestDash} hyphens in a row");
        call.Runtime.Step(text.Length / 4);
        call.Runtime.Reserve((long)text.Length * (1 + separator.Length));
        IEnumerable<string> lines = JinjaText.SplitLines(text)
            .Select(line => string.Join(separator, Wrap(call.Runtime, line, (int)Math.Min(width, int.MaxValue), call.Truth(1, true), call.Truth(3, true))));
        return call.Runtime.Text(string.Join(separator, lines));
    }

    private static List<string> Wrap(JinjaRuntime runtime, string line, int width, bool breakLong, bool onHyphens)
    {
        Stack<string> chunks = new();
        foreach (string chunk in (onHyphens ? HyphenChunks() : PlainChunks()).Split(line).Where(chunk => chunk.Length > 0).Reverse())
            chunks.Push(chunk);
        List<string> lines = [];
        while (chunks.Count > 0)
        {
            List<string> current = [];
            int length = 0;
            if (lines.Count > 0 && string.IsNullOrWhiteSpace(chunks.Peek()))
                chunks.Pop();
            while (chunks.Count > 0 && length + JinjaText.Length(chunks.Peek()) <= width)
            {
                length += JinjaText.Length(chunks.Peek());
                current.Add(chunks.Pop());
            }

            if (chunks.Count > 0 && JinjaText.Length(chunks.Peek()) > width)
            {
                runtime.Step(chunks.Peek().Length / 256);
                BreakLong(chunks, current, width - length, breakLong, onHyphens);
            }

            if (current.Count > 0 && string.IsNullOrWhiteSpace(current[^1]))
                current.RemoveAt(current.Count - 1);
            if (current.Count > 0)
                lines.Add(string.Concat(current));
        }

        return lines;
    }

    private static void BreakLong(Stack<string> chunks, List<string> current, int room, bool breakLong, bool onHyphens)
    {
        room = Math.Max(room, current.Count == 0 ? 1 : room);
        if (!breakLong)
        {
            if (current.Count == 0)
                current.Add(chunks.Pop());
            return;
        }

        string chunk = chunks.Pop();
        int end = JinjaText.Offset(chunk, room);
        if (onHyphens && chunk.Length > end && end > 0)
        {
            int hyphen = chunk.LastIndexOf('-', end - 1);
            if (hyphen > 0 && chunk[..hyphen].Any(c => c != '-'))
                end = hyphen + 1;
        }

        current.Add(chunk[..end]);
        chunks.Push(chunk[end..]);
    }

    [GeneratedRegex("([\\t\\n\\x0b\\x0c\\r ]+)")]
    private static partial Regex PlainChunks();

    // Pieces end at white space, after a hyphen between letters, or around a dash.
    [GeneratedRegex("""([\t\n\x0b\x0c\r ]+|(?<=[\w!"'&.,?])-{2,}(?=\w)|[^\t\n\x0b\x0c\r ]+?(?:-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[^\d\W]-))(?=[^\d\W]-?[^\d\W])|(?=[\t\n\x0b\x0c\r ]|\z)|(?<=[\w!"'&.,?])(?=-{2,}\w)))""")]
    private static partial Regex HyphenChunks();
}
