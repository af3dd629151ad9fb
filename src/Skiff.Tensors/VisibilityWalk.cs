namespace Skiff.Tensors;

/// <summary>
/// A <see cref="VisibilityRule"/> applied position by position. Whatever the rule, a position sees two intervals: near positions up to
/// itself, and a stretch of the list of far positions (sinks and anchors) that lie before those. Where a group of anchors gives way to its
/// last one, what stays is listed once more, behind all others. Training walks whole rows, a cache walks along with its sequence.
/// </summary>
public sealed class VisibilityWalk
{
    private readonly VisibilityRule _rule;
    private readonly bool _keepsFar;
    // Far positions that do not lie before the near ones yet.
    private readonly Queue<int> _ahead = new();
    private readonly List<int> _added = [];
    // Positions that stay when a group closes, with which the document's list begins: sinks, then anchors of groups.
    private readonly List<int> _staying = [];
    private int _document, _segment, _farOfDocument, _sinks, _before, _segmentsOfGroup;

    /// <summary>A walk that begins at position 0.</summary>
    /// <exception cref="ArgumentException">The rule contradicts itself.</exception>
    public VisibilityWalk(VisibilityRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        rule.Check();
        _rule = rule;
        _keepsFar = rule.Hides;
    }

    /// <summary>A walk that sees a list of far positions, whichever they are, and all that comes after a position.</summary>
    /// <param name="position">The next position.</param>
    /// <param name="far">Entries of the list.</param>
    public static VisibilityWalk After(int position, int far) => new(VisibilityRule.Causal) { Position = position, _document = position, _before = far };

    /// <summary>The next position.</summary>
    public int Position { get; private set; }

    /// <summary>Far positions listed so far.</summary>
    public int FarCount => _before + _ahead.Count;

    /// <summary>The first near position that the last one sees.</summary>
    public int NearStart { get; private set; }

    /// <summary>The stretch of the list of far positions that the last one sees.</summary>
    public int FarStart { get; private set; }

    /// <inheritdoc cref="FarStart"/>
    public int FarEnd { get; private set; }

    /// <summary>What the last position put at the end of the list.</summary>
    public IReadOnlyList<int> Added => _added;

    /// <summary>The first so many of <see cref="Added"/> are on the list already, from <see cref="AgainFrom"/> on.</summary>
    public int AddedAgain { get; private set; }

    /// <inheritdoc cref="AddedAgain"/>
    public int AgainFrom { get; private set; }

    /// <summary>The first near position that any later one sees.</summary>
    public int NextNear => Near(Position, _segment);

    /// <summary>The first place in the list that any later one sees.</summary>
    public int NextFar => Math.Max(_farOfDocument, _rule.LastAnchors > 0 ? Before(NextNear) - _rule.LastAnchors : 0);

    /// <summary>Takes the next position.</summary>
    /// <param name="closes">Whether it is the last of its segment; for rules with anchors.</param>
    /// <param name="begins">Whether a document begins with it.</param>
    public void Step(bool closes, bool begins = false)
    {
        int i = Position++;
        _added.Clear();
        AddedAgain = 0;
        if (begins)
        {
            _before += _ahead.Count;
            _ahead.Clear();
            _staying.Clear();
            (_document, _segment, _farOfDocument, _sinks, _segmentsOfGroup) = (i, i, _before, 0, 0);
        }

        NearStart = Near(i, _segment);
        while (_ahead.TryPeek(out int far) && far < NearStart)
        {
            _ahead.Dequeue();
            _before++;
        }

        FarStart = Math.Max(_farOfDocument, _rule.LastAnchors > 0 ? _before - _rule.LastAnchors : 0);
        bool closesGroup = closes && ++_segmentsOfGroup == _rule.SegmentsPerGroup;
        // Sinks come first in a document's list, so that what a strict anchor sees is a stretch of it too.
        FarEnd = closes && _rule.Segments && !_rule.AnchorsSeeAnchors && !closesGroup ? Math.Min(_before, _farOfDocument + _sinks) : _before;
        FarStart = Math.Min(FarStart, FarEnd);
        if (closesGroup)
            CloseGroup();
        if (_keepsFar && i - _document < _rule.Sinks)
        {
            Add(i, stays: true);
            _sinks++;
        }

        if (!closes || !_rule.HasAnchors)
            return;
        for (int j = Math.Max(Math.Max(_segment, i - _rule.AnchorsPerSegment + 1), _document + _rule.Sinks); j <= i; j++)
            Add(j, closesGroup);
        _segment = i + 1;
    }

    /// <summary>Stands where another walk by the same rule stands.</summary>
    public void CopyFrom(VisibilityWalk other)
    {
        (Position, NearStart, FarStart, FarEnd) = (other.Position, other.NearStart, other.FarStart, other.FarEnd);
        (_document, _segment, _farOfDocument, _sinks, _before) = (other._document, other._segment, other._farOfDocument, other._sinks, other._before);
        _segmentsOfGroup = other._segmentsOfGroup;
        _ahead.Clear();
        foreach (int far in other._ahead)
            _ahead.Enqueue(far);
        _staying.Clear();
        _staying.AddRange(other._staying);
        _added.Clear();
        AddedAgain = 0;
    }

    /// <summary>Back to position 0.</summary>
    public void Reset()
    {
        (Position, NearStart, FarStart, FarEnd, _document, _segment, _farOfDocument, _sinks, _before) = (0, 0, 0, 0, 0, 0, 0, 0, 0);
        (_segmentsOfGroup, AddedAgain) = (0, 0);
        _ahead.Clear();
        _staying.Clear();
        _added.Clear();
    }

    private int Near(int position, int segment)
    {
        long near = _rule.Segments ? Math.Min(segment, (long)position - _rule.LastVisible + 1) : _rule.Window > 0 ? (long)position - _rule.Window + 1 : _document;
        return (int)Math.Max(_document, near);
    }

    private int Before(int near)
    {
        int before = _before;
        foreach (int far in _ahead)
            before += far < near ? 1 : 0;
        return before;
    }

    // The group's anchors are seen no more: what stays begins the list anew.
    private void CloseGroup()
    {
        int end = FarCount, before = Math.Min(_before - _farOfDocument, _staying.Count);
        (AddedAgain, AgainFrom) = (_staying.Count, _farOfDocument);
        _ahead.Clear();
        for (int at = 0; at < _staying.Count; at++)
        {
            _added.Add(_staying[at]);
            if (at >= before)
                _ahead.Enqueue(_staying[at]);
        }

        (_farOfDocument, _before, _segmentsOfGroup) = (end, end + before, 0);
    }

    private void Add(int position, bool stays)
    {
        _ahead.Enqueue(position);
        _added.Add(position);
        if (stays && _rule.SegmentsPerGroup > 0)
            _staying.Add(position);
    }
}
