using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Keys and values of one block of one sequence. A policy says which positions stay: it fixes how many tiles are never given up and how
/// many share a ring. Positions are absolute under every policy.
/// </summary>
public abstract unsafe class KvCache : IDisposable
{
    private readonly CacheMemory _memory;
    private readonly KeyValueShape _shape;
    private readonly int _pinned, _ring;
    private NativeBuffer? _buffer;
    private int _slots;
    private bool _disposed;

    private protected KvCache(CacheMemory memory, KeyValueShape shape, int pinned, int ring) => (_memory, _shape, _pinned, _ring) = (memory, shape, pinned, ring);

    /// <summary>Bytes it takes now.</summary>
    public long ByteLength => _buffer?.Length ?? 0;

    /// <summary>Bytes it takes at most.</summary>
    public long MostBytes => KeyValueTiles.ByteLengthOf(_shape, MostSlots);

    /// <summary>Bytes that room for so many positions takes, asked for at once.</summary>
    internal long BytesFor(int positions) => KeyValueTiles.ByteLengthOf(_shape, Math.Min(KeyValueTiles.TilesOf(positions), MostSlots));

    // A full cache pins every tile and has no ring.
    private int MostSlots => _pinned + _ring;

    internal KeyValueTiles Tiles => new((float*)_buffer!.Start, _shape, _slots, _pinned, _ring);

    /// <summary>Makes room for positions up to a number; memory at least doubles when it grows, so each value moves about once.</summary>
    /// <param name="positions">Positions from 0 that will have been written.</param>
    /// <param name="held">Positions written so far, which are kept.</param>
    /// <exception cref="OutOfMemoryException">Nothing has changed.</exception>
    internal void Reserve(int positions, int held)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int needed = Math.Min(KeyValueTiles.TilesOf(positions), MostSlots);
        if (needed <= _slots)
            return;
        int slots = (int)Math.Min(MostSlots, Math.Max(needed, 2L * _slots)), filled = Math.Min(KeyValueTiles.TilesOf(held), _slots);
        NativeBuffer buffer = _memory.Take(KeyValueTiles.ByteLengthOf(_shape, slots));
        if (_buffer is { } old)
        {
            KeyValueTiles from = Tiles, to = new((float*)buffer.Start, _shape, slots, _pinned, _ring);
            long keys = (long)filled * KeyValueTiles.Length * _shape.HeadDim * sizeof(float), values = (long)filled * KeyValueTiles.Length * _shape.ValueDim * sizeof(float);
            // A ring that is not whole has not turned: its tiles lie in order.
            for (int head = 0; head < _shape.Heads; head++)
            {
                Buffer.MemoryCopy(from.Key(head, 0), to.Key(head, 0), keys, keys);
                Buffer.MemoryCopy(from.Value(head, 0), to.Value(head, 0), values, values);
            }

            _memory.Give(old);
        }

        (_buffer, _slots) = (buffer, slots);
    }

    /// <summary>Gives its memory back.</summary>
    public void Dispose()
    {
        _disposed = true;
        if (_buffer is { } buffer)
            _memory.Give(buffer);
        (_buffer, _slots) = (null, 0);
        GC.SuppressFinalize(this);
    }
}
