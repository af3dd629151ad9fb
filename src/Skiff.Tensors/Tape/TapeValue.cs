namespace Skiff.Tensors;

/// <summary>
/// A matrix that operations of a <see cref="Tape"/> compute and read, with room for its gradient where one is needed. Its memory is
/// planned: what lies in it is meaningful only between the operations that the plan knows of.
/// </summary>
public sealed unsafe class TapeValue
{
    private readonly long _offset, _rowStride;

    internal TapeValue(TapeBuffer data, TapeBuffer? gradient, int rows, int columns)
        : this(data, gradient, rows, columns, 0, columns)
    {
    }

    private TapeValue(TapeBuffer data, TapeBuffer? gradient, int rows, int columns, long offset, long rowStride)
    {
        (DataBuffer, GradientBuffer, Rows, Columns) = (data, gradient, rows, columns);
        (_offset, _rowStride) = (offset, rowStride);
    }

    /// <summary>Rows: tokens of the batch.</summary>
    public int Rows { get; }

    /// <summary>Values of a token.</summary>
    public int Columns { get; }

    /// <summary>Something trainable lies before it.</summary>
    public bool NeedsGradient => GradientBuffer is not null;

    internal TapeBuffer DataBuffer { get; }

    internal TapeBuffer? GradientBuffer { get; }

    /// <summary>Its gradient lives on as that of a later value: nothing may read this one any more.</summary>
    internal bool Closed { get; set; }

    internal MatrixView Data => new(DataBuffer.Data + _offset, Rows, Columns, _rowStride);

    internal MatrixView Gradient => new(GradientBuffer!.Data + _offset, Rows, Columns, _rowStride);

    /// <summary>Some of its columns, as a value of their own over the same memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie inside.</exception>
    public TapeValue Block(int column, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(column);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)column + columns, Columns);
        return new TapeValue(DataBuffer, GradientBuffer, Rows, columns, _offset + column, _rowStride);
    }
}
