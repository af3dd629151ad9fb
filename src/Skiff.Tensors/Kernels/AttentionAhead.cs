namespace Skiff.Tensors;

/// <summary>
/// Asks memory for the rows that a thread's next part will use, a few lines with each product of the present part. Heads lie far
/// apart from row to row, which the processor does not foresee. Only hints: what comes too late or in vain costs time alone.
/// </summary>
internal unsafe struct AttentionAhead
{
    // Values in a cache line.
    private const int Line = 16;
    private const int Most = 7;

    private fixed long _starts[Most], _strides[Most];
    private fixed int _lines[Most];
    private int _streams, _stream, _line, _row;
    private readonly int _time;

    public AttentionAhead(int time) => _time = time;

    /// <summary>Some heads of one row of the batch, after those added before.</summary>
    public void Add(HeadsView view, int batch, int head, int heads)
    {
        _starts[_streams] = (long)view.At(batch, 0, head);
        _strides[_streams] = view.TimeStride;
        _lines[_streams++] = (heads * view.HeadDim + Line - 1) / Line;
    }

    /// <summary>What a product of so many steps is to ask for: the first line, and the stride to the others.</summary>
    public float* Take(int steps, out nint stride)
    {
        bool done = _stream == _streams;
        int stream = done ? 0 : _stream, lines = (steps + MicroKernel.AheadSteps - 1) / MicroKernel.AheadSteps;
        stride = done ? 0 : (nint)_strides[stream];
        float* first = (float*)_starts[stream] + _row * stride + _line * Line;
        if (!done)
            Advance(lines);
        return first;
    }

    /// <summary>Asks for whatever the products were too few for.</summary>
    public void TakeRest()
    {
        while (_stream < _streams)
        {
            PanelPacking.Ahead((float*)_starts[_stream] + _row * _strides[_stream] + _line * Line);
            Advance(1);
        }
    }

    private void Advance(int lines)
    {
        _row += lines;
        if (_row < _time)
            return;
        _row = 0;
        if (++_line == _lines[_stream])
            (_stream, _line) = (_stream + 1, 0);
    }
}
