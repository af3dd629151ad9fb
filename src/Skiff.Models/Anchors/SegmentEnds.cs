using System.Collections.Frozen;

namespace Skiff.Models;

/// <summary>
/// Which tokens of a text end a segment, told token by token from what stood before alone: what is still to come must not decide what an
/// earlier position sees.
/// </summary>
public sealed class SegmentEnds
{
    private readonly FrozenSet<int> _ends, _stops, _notAfter, _letters;
    private int _last = -1, _lastButOne = -1;

    /// <summary>At the beginning of a text.</summary>
    public SegmentEnds(AnchorConfig config) =>
        (_ends, _stops, _notAfter, _letters) = (config.EndIds.ToFrozenSet(), config.StopIds.ToFrozenSet(), config.NotAfterIds.ToFrozenSet(), config.LetterIds.ToFrozenSet());

    /// <summary>Whether the next token ends a segment.</summary>
    public bool Next(int token)
    {
        bool abbreviates = _notAfter.Contains(_last) || (_letters.Contains(_last) && _stops.Contains(_lastButOne));
        (_lastButOne, _last) = (_last, token);
        return _ends.Contains(token) || (_stops.Contains(token) && !abbreviates);
    }

    /// <summary>Back to the beginning of a text.</summary>
    public void Reset() => (_last, _lastButOne) = (-1, -1);

    /// <summary>Stands where another stands.</summary>
    public void CopyFrom(SegmentEnds other) => (_last, _lastButOne) = (other._last, other._lastButOne);
}
