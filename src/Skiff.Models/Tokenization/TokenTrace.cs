namespace Skiff.Models;

/// <summary>
/// What an encode notes on its way, for <see cref="TokenBorders"/>: the text is cut into segments at added tokens, each
/// segment is normalized by itself, and the result is cut into stretches, one for an added token or for what the model gets.
/// </summary>
internal sealed class TokenTrace
{
    /// <summary>The segments, which cover the text in order.</summary>
    public List<TokenSegment> Segments { get; } = [];

    /// <summary>The stretches of all segments, in order.</summary>
    public List<TokenStretch> Stretches { get; } = [];

    /// <summary>Notes a segment; <paramref name="text"/> is the whole text where nothing was normalized.</summary>
    public void AddSegment(int start, int end, string text) => Segments.Add(new TokenSegment(start, end, text, Stretches.Count));

    /// <summary>Notes a stretch of the last segment, whose ids will be appended from <paramref name="firstId"/> on.</summary>
    public void AddStretch(int from, int to, int firstId, bool isToken) => Stretches.Add(new TokenStretch(from, to, firstId, isToken));
}

/// <summary>A part of the text that was normalized by itself.</summary>
/// <param name="Start">Where it begins in the text.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Text">What it became; the whole text itself where it stayed, positions then being those of the text.</param>
/// <param name="FirstStretch">Index of its first stretch.</param>
internal readonly record struct TokenSegment(int Start, int End, string Text, int FirstStretch);

/// <summary>A part of a segment.</summary>
/// <param name="From">Where it begins in <see cref="TokenSegment.Text"/>.</param>
/// <param name="To">Where it ends.</param>
/// <param name="FirstId">Index of its first id.</param>
/// <param name="IsToken">Whether it is one added token.</param>
internal readonly record struct TokenStretch(int From, int To, int FirstId, bool IsToken);
