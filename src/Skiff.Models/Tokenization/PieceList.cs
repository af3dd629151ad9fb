using System.Text;

namespace Skiff.Models;

/// <summary>How a split treats its matches; the names are those of <c>tokenizer.json</c>.</summary>
internal enum SplitBehavior
{
    /// <summary>Matches are dropped.</summary>
    Removed,

    /// <summary>Every match is a piece.</summary>
    Isolated,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece behind it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches are one piece.</summary>
    Contiguous,
}

/// <summary>Appends the matches in a piece, none empty, in order.</summary>
internal delegate void MatchFinder(ReadOnlySpan<char> piece, List<(int Start, int End)> matches);

/// <summary>A segment of text and the pieces it is cut into so far: what pre-tokenizers work on.</summary>
internal sealed class PieceList
{
    private readonly StringBuilder _builder = new();
    private readonly List<(int Start, int End)> _matches = [];
    private List<(int Start, int Length)> _pieces = [];
    private List<(int Start, int Length)> _spare = [];
    private bool _previousMatched;

    /// <summary>The segment's text.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Whether the segment begins the whole text.</summary>
    public bool AtStart { get; private set; }

    /// <summary>Most elements held so far.</summary>
    public int Capacity => Math.Max(_matches.Capacity, Math.Max(_pieces.Capacity, _builder.Capacity));

    /// <summary>The pieces, in order, none empty.</summary>
    public List<(int Start, int Length)> Pieces => _pieces;

    /// <summary>Begins with one piece, the whole text.</summary>
    public void Start(string text, bool atStart)
    {
        Text = text;
        AtStart = atStart;
        _pieces.Clear();
        if (text.Length > 0)
            _pieces.Add((0, text.Length));
    }

    /// <summary>Cuts every piece at its matches; with <paramref name="invert"/> at what lies between them.</summary>
    public void Split(MatchFinder find, SplitBehavior behavior, bool invert)
    {
        (_spare, _pieces) = (_pieces, _spare);
        _pieces.Clear();
        foreach ((int start, int length) in _spare)
        {
            _matches.Clear();
            find(Text.AsSpan(start, length), _matches);
            _previousMatched = false;
            int first = _pieces.Count;
            int at = 0;
            foreach ((int from, int to) in _matches)
            {
                if (from > at)
                    Add(start + at, start + from, invert, behavior, first);
                Add(start + from, start + to, !invert, behavior, first);
                at = to;
            }

            if (length > at)
                Add(start + at, start + length, invert, behavior, first);
        }
    }

    /// <summary>Rewrites every piece's text; a piece that becomes empty is dropped.</summary>
    public void Rewrite<TState>(Action<StringBuilder, string, int, int, TState> write, TState state)
    {
        _builder.Clear();
        int kept = 0;
        for (int i = 0; i < _pieces.Count; i++)
        {
            int start = _builder.Length;
            write(_builder, Text, _pieces[i].Start, _pieces[i].Length, state);
            if (_builder.Length > start)
                _pieces[kept++] = (start, _builder.Length - start);
        }

        _pieces.RemoveRange(kept, _pieces.Count - kept);
        Text = _builder.ToString();
    }

    private void Add(int start, int end, bool matched, SplitBehavior behavior, int first)
    {
        bool joins = _pieces.Count > first && behavior switch
        {
            // Of two matches in a row the second stands alone.
            SplitBehavior.MergedWithPrevious => matched && !_previousMatched,
            SplitBehavior.MergedWithNext => !matched && _previousMatched,
            SplitBehavior.Contiguous => matched == _previousMatched,
            _ => false,
        };
        _previousMatched = matched;
        if (matched && behavior == SplitBehavior.Removed)
            return;
        if (joins)
            _pieces[^1] = (_pieces[^1].Start, end - _pieces[^1].Start);
        else
            _pieces.Add((start, end - start));
    }
}
