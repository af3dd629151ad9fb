namespace Skiff.Tensors;

/// <summary>
/// Queries, keys or values of several heads in memory that somebody else owns: entry (b, t, h, k) lies
/// <c>b * BatchStride + t * TimeStride + h * HeadStride + k</c> values behind <see cref="Data"/>, so a part of a fused
/// projection can be read where it is. Valid as long as that memory is: keep the tensor reachable.
/// </summary>
public readonly unsafe struct HeadsView
{
    // B batch, T time, H heads, K head size

    /// <summary>[B, T, H, K] without gaps.</summary>
    public HeadsView(float* data, int batch, int time, int heads, int headDim)
        : this(data, batch, time, heads, headDim, (long)time * heads * headDim, (long)heads * headDim, headDim)
    {
    }

    /// <summary>Any strides, in values; the values of one head follow each other.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative size or stride, or a head of no values.</exception>
    public HeadsView(float* data, int batch, int time, int heads, int headDim, long batchStride, long timeStride, long headStride)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(headDim, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(batchStride);
        ArgumentOutOfRangeException.ThrowIfNegative(timeStride);
        ArgumentOutOfRangeException.ThrowIfNegative(headStride);
        Data = data;
        (Batch, Time, Heads, HeadDim) = (batch, time, heads, headDim);
        (BatchStride, TimeStride, HeadStride) = (batchStride, timeStride, headStride);
    }

    /// <summary>Entry (0, 0, 0, 0).</summary>
    public float* Data { get; }

    /// <summary>B, rows of the batch.</summary>
    public int Batch { get; }

    /// <summary>T, positions in a row of the batch.</summary>
    public int Time { get; }

    /// <summary>H, heads at a position.</summary>
    public int Heads { get; }

    /// <summary>K, values of a head.</summary>
    public int HeadDim { get; }

    /// <summary>Values from one row of the batch to the next.</summary>
    public long BatchStride { get; }

    /// <summary>Values from one position to the next.</summary>
    public long TimeStride { get; }

    /// <summary>Values from one head to the next.</summary>
    public long HeadStride { get; }

    /// <summary>The first value of a head.</summary>
    internal float* At(int batch, int time, int head) => Data + batch * BatchStride + time * TimeStride + head * HeadStride;

    internal bool HasShape(int batch, int time, int heads, int headDim)
        => Batch == batch && Time == time && Heads == heads && HeadDim == headDim;

    /// <inheritdoc/>
    public override string ToString() => $"[{Batch}, {Time}, {Heads}, {HeadDim}]";
}
