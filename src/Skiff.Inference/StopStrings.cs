using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Watches streamed text for stop strings, across the borders of its pieces. Text is held back as long as it may be the
/// beginning of a stop string. However the text is cut into pieces, the same text comes out: the stop string that ends
/// first wins, and of those that end together the longest.
/// </summary>
public sealed class StopStrings
{
    private readonly IReadOnlyList<string> _strings;
    private string _held = "";

    /// <summary>Watches for any of these.</summary>
    /// <exception cref="InvalidInputException">An empty stop string, which would stop everything at once.</exception>
    public StopStrings(IReadOnlyList<string> strings)
    {
        if (strings.Any(s => s.Length == 0))
            throw new InvalidInputException("generation", "stop", "a stop string must not be empty");
        _strings = strings;
    }

    /// <summary>The stop string that was found, or null.</summary>
    public string? Found { get; private set; }

    /// <summary>Takes the next piece and gives what may be shown now; after a stop string nothing more comes.</summary>
    public string Append(string piece)
    {
        if (Found is not null)
            return "";
        if (_strings.Count == 0)
            return piece;
        string text = _held + piece;
        int start = 0;
        foreach (string stop in _strings)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at < 0)
                continue;
            int end = at + stop.Length;
            int bestEnd = Found is null ? int.MaxValue : start + Found.Length;
            if (end < bestEnd || (end == bestEnd && at < start))
                (Found, start) = (stop, at);
        }

        int shown = Found is not null ? start : text.Length - PossibleBeginning(text);
        _held = Found is not null ? "" : text[shown..];
        return text[..shown];
    }

    /// <summary>What is still held back once no more text can follow.</summary>
    public string Flush()
    {
        string rest = _held;
        _held = "";
        return rest;
    }

    // Length of the longest end of the text that begins a stop string.
    private int PossibleBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in _strings)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
            }
        }

        return longest;
    }
}
