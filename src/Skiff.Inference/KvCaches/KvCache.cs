using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Keys and values of one block of one sequence, a page for each tile of 64 positions. A policy says which positions stay; they keep their
/// numbers under every policy. Pages that a fork shares are copied by whoever is first to write into them.
/// </summary>
public abstract unsafe class KvCache : IDisposable
{
    private readonly CacheMemory _memory;
    private readonly KeyValueShape _shape;
    // Tiles from 0 that are never given up, and tiles behind them that are there at once at most.
    private readonly int _pinned, _near;
    private readonly Stack<nint> _spare = [];
    // Pinned in memory, as kernels read it.
    private nint[] _pages = [];
    private int _first, _end;
    private bool _disposed;

    private protected KvCache(CacheMemory memory, KeyValueShape shape, int pinned, int near) => (_memory, _shape, _pinned, _near) = (memory, shape, pinned, near);

    /// <summary>Frees what nobody gave back.</summary>
    ~KvCache() => Free();

    /// <summary>Bytes it takes now; what it shares with others counts in full.</summary>
    public long ByteLength => CacheMemory.BytesOf(_shape) * (_spare.Count + _pages.Count(page => page != 0));

    /// <summary>Bytes it takes at most.</summary>
    public long MostBytes => CacheMemory.BytesOf(_shape) * (_pinned + _near);

    /// <summary>The first position, beside those that are pinned, that a row at a position or behind it sees.</summary>
    private protected abstract int FirstSeen(int position);

    /// <summary>Bytes that room for so many positions takes, asked for at once.</summary>
    internal long BytesFor(int positions) => CacheMemory.BytesOf(_shape) * Math.Min(KeyValueTiles.TilesOf(positions), _pinned + _near);

    internal KeyValueTiles Tiles => new((byte**)Marshal.UnsafeAddrOfPinnedArrayElement(_pages, 0), _shape);

    /// <summary>Makes room for positions up to a number, as far as the policy holds so many, and lets go of what no row sees any more.</summary>
    /// <param name="positions">Positions from 0 that will have been written.</param>
    /// <param name="held">Positions written so far: none before this one is written again.</param>
    /// <exception cref="OutOfMemoryException">What is written stays.</exception>
    internal void Reserve(int positions, int held)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        LetGo(FirstSeen(held) / KeyValueTiles.Length);
        int end = (int)Math.Min(KeyValueTiles.TilesOf(positions), Math.Max(_first, _pinned) + (long)_near);
        Grow(end);
        for (int tile = held / KeyValueTiles.Length; tile < end; tile++)
            Own(tile, keep: tile * KeyValueTiles.Length < held);
        _end = Math.Max(_end, end);
    }

    /// <summary>Takes the tiles that the next position sees, to be filled from a file.</summary>
    internal void Restore(int position)
    {
        int first = FirstSeen(position) / KeyValueTiles.Length, end = KeyValueTiles.TilesOf(position);
        LetGo(first);
        Grow(end);
        for (int tile = 0; tile < end; tile = tile + 1 == Math.Min(_pinned, first) ? first : tile + 1)
            Own(tile, keep: false);
        _end = Math.Max(_end, end);
    }

    /// <summary>Shares what an empty cache of the same policy needs to go on from a position.</summary>
    internal void Share(KvCache other, int position)
    {
        Grow(KeyValueTiles.TilesOf(position));
        (_first, _end) = (other._first, KeyValueTiles.TilesOf(position));
        for (int tile = 0; tile < _end; tile++)
        {
            if ((_pages[tile] = other._pages[tile]) != 0)
                CacheMemory.Share((byte*)_pages[tile]);
        }
    }

    // Tiles before one, but for the pinned, are seen no more.
    private void LetGo(int first)
    {
        for (; _first < first; _first++)
        {
            if (_first < _pinned || _first >= _end || _pages[_first] == 0)
                continue;
            byte* page = (byte*)_pages[_first];
            _pages[_first] = 0;
            // The next tile takes its place: memory that is turned over is not asked for again.
            if (CacheMemory.IsShared(page))
                _memory.GivePage(page, _shape);
            else
                _spare.Push((nint)page);
        }
    }

    private void Grow(int tiles)
    {
        if (tiles <= _pages.Length)
            return;
        nint[] pages = GC.AllocateArray<nint>(Math.Max(tiles, 2 * _pages.Length), pinned: true);
        _pages.CopyTo(pages, 0);
        _pages = pages;
    }

    private void Own(int tile, bool keep)
    {
        byte* old = (byte*)_pages[tile];
        if (old is not null && !CacheMemory.IsShared(old))
            return;
        byte* page = _spare.TryPop(out nint spare) ? (byte*)spare : _memory.TakePage(_shape);
        if (old is not null)
        {
            if (keep)
                Buffer.MemoryCopy(old, page, _shape.PageBytes, _shape.PageBytes);
            _memory.GivePage(old, _shape);
        }

        _pages[tile] = (nint)page;
    }

    /// <summary>Gives its memory back.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (nint page in _pages.Concat(_spare).Where(page => page != 0))
            _memory.GivePage((byte*)page, _shape);
        (_pages, _end) = ([], 0);
        _spare.Clear();
    }
}
