using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>A table of pages, one for each tile; those in front may be gone.</summary>
internal sealed unsafe class CachePages(CacheMemory memory, KeyValueShape shape)
{
    // Pinned in memory, as kernels read it.
    private nint[] _pages = [];
    private int _first;

    /// <summary>The tiles, for kernels.</summary>
    /// <param name="entries">Entries of a list, int.MaxValue where all tiles are whole.</param>
    public KeyValueTiles Tiles(int entries) => new((byte**)Marshal.UnsafeAddrOfPinnedArrayElement(_pages, 0), shape, entries);

    /// <summary>Bytes of the pages that are there.</summary>
    public long BytesFor(int entries)
    {
        long bytes = 0;
        for (int tile = 0; tile < _pages.Length; tile++)
            bytes += _pages[tile] != 0 ? CacheMemory.BytesOf(shape, KeyValueTiles.LanesOf(entries, tile)) : 0;
        return bytes;
    }

    /// <summary>Gives the pages of tiles before one back.</summary>
    public void LetGo(int first, int entries)
    {
        for (first = Math.Min(first, _pages.Length); _first < first; _first++)
        {
            if (_pages[_first] == 0)
                continue;
            memory.GivePage((byte*)_pages[_first], shape, KeyValueTiles.LanesOf(entries, _first));
            _pages[_first] = 0;
        }
    }

    /// <summary>Sees to it that a tile has a page of its own, with so many lanes.</summary>
    /// <param name="tile">Which.</param>
    /// <param name="lanes">Lanes that it is to have.</param>
    /// <param name="oldLanes">Lanes of the page that is there, if one is.</param>
    /// <param name="held">Entries of it that stay.</param>
    public void Own(int tile, int lanes, int oldLanes, int held)
    {
        Grow(tile + 1);
        // One that was given back while nothing in it was seen.
        _first = Math.Min(_first, tile);
        byte* old = (byte*)_pages[tile];
        if (old is not null && lanes == oldLanes && !CacheMemory.IsShared(old))
            return;
        byte* page = memory.TakePage(shape, lanes);
        if (old is not null)
        {
            Copy(new KeyValueTile(old, shape, oldLanes), new KeyValueTile(page, shape, lanes), held);
            memory.GivePage(old, shape, oldLanes);
        }

        _pages[tile] = (nint)page;
    }

    /// <summary>Becomes a second owner of another table's pages.</summary>
    public void Share(CachePages other, int tiles)
    {
        Grow(tiles);
        _first = other._first;
        for (int tile = 0; tile < Math.Min(tiles, other._pages.Length); tile++)
        {
            if ((_pages[tile] = other._pages[tile]) != 0)
                CacheMemory.Share((byte*)_pages[tile]);
        }
    }

    /// <summary>Sees to it that the table has room for so many tiles.</summary>
    public void Grow(int tiles)
    {
        if (tiles <= _pages.Length)
            return;
        nint[] pages = GC.AllocateArray<nint>(Math.Max(tiles, 2 * _pages.Length), pinned: true);
        _pages.CopyTo(pages, 0);
        _pages = pages;
    }

    private void Copy(KeyValueTile from, KeyValueTile to, int held)
    {
        for (int head = 0; head < shape.Heads; head++)
        {
            if (from.Lanes == to.Lanes && held > 0)
                Buffer.MemoryCopy(from.Key(head), to.Key(head), to.HeadBytes, from.HeadBytes);
            for (int lane = 0; lane < held && from.Lanes != to.Lanes; lane++)
                CacheRows.Copy(shape, head, from, lane, to, lane);
        }
    }
}
