namespace Skiff.Models;

/// <summary>Which tokens close a segment under an <see cref="AnchorConfig"/>, told token by token: the marks of a <see cref="Tensors.VisibilityRule"/>.</summary>
public sealed class SegmentMarker
{
    private readonly AnchorConfig _config;
    private readonly SegmentEnds _ends;
    private int _length, _added;

    /// <summary>At the beginning of a text.</summary>
    public SegmentMarker(AnchorConfig config) => (_config, _ends) = (config, new SegmentEnds(config));

    /// <summary>Whether the next token is the last of its segment.</summary>
    public bool Next(int token)
    {
        bool ends = _ends.Next(token);
        _length++;
        if (_config.AddedId is { } added)
        {
            _added = token == added ? _added + 1 : 0;
            ends = _added == _config.AnchorsPerSegment;
        }

        if (!ends && (_config.MaxSegment == 0 || _length < _config.MaxSegment))
            return false;
        (_length, _added) = (0, 0);
        return true;
    }

    /// <summary>Back to the beginning of a text.</summary>
    public void Reset()
    {
        (_length, _added) = (0, 0);
        _ends.Reset();
    }

    /// <summary>Stands where another by the same config stands.</summary>
    public void CopyFrom(SegmentMarker other)
    {
        (_length, _added) = (other._length, other._added);
        _ends.CopyFrom(other._ends);
    }
}
