namespace Skiff.Models;

/// <summary>
/// Which position sees which under an <see cref="AnchorConfig"/>, by its definition over all positions at once (AnLLM, arXiv 2402.07616,
/// equation 4, and the options): what the plain decoder masks with, and what everything faster is checked against.
/// </summary>
/// <param name="config">The definition.</param>
public sealed class AnchorMask(AnchorConfig config)
{
    private readonly SegmentMarker _marker = new(config);
    // Of each position the segment, and of each segment the last position.
    private readonly List<int> _segments = [], _lasts = [];
    private bool _closed = true;

    /// <summary>Takes the next token.</summary>
    public void Append(int token)
    {
        if (_closed)
            _lasts.Add(-1);
        _segments.Add(_lasts.Count - 1);
        _closed = _marker.Next(token);
        _lasts[^1] = _segments.Count - 1;
    }

    /// <summary>Whether position i sees position j, both of them there.</summary>
    public bool Sees(int i, int j)
    {
        if (j > i)
            return false;
        if (_segments[j] == _segments[i] || i - j < config.LastVisible || j < config.Sinks)
            return true;
        // The last position of an open segment is no anchor; that of the row's own, if it closes it, is.
        bool isAnchor = _lasts[_segments[i]] == i && (_segments[i] < _lasts.Count - 1 || _closed);
        int group = config.SegmentsPerGroup;
        if (group > 0 && !ClosesGroup(j) && _segments[j] / group != _segments[i] / group)
            return false;
        return IsKept(j) && (!isAnchor || config.AnchorsSeeAnchors || ClosesGroup(i)) && (config.LastAnchors == 0 || KeptBehind(i, j) < config.LastAnchors);
    }

    private bool ClosesGroup(int position) => config.SegmentsPerGroup > 0 && (_segments[position] + 1) % config.SegmentsPerGroup == 0;

    private bool IsKept(int j) => _lasts[_segments[j]] - j < config.AnchorsPerSegment;

    // Anchors after j that lie before all that is near i.
    private int KeptBehind(int i, int j)
    {
        int near = i, count = 0;
        while (near > 0 && (_segments[near - 1] == _segments[i] || i - near + 1 < config.LastVisible))
            near--;
        for (int other = j + 1; other < near; other++)
            count += IsKept(other) ? 1 : 0;
        return count;
    }
}
