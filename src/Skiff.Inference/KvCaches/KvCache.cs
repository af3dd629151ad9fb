using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Keys and values of one block of one sequence, a page for each tile of 64: near positions, and in tiles of their own the far ones (sinks and
/// anchors) that stay when what is near is let go. Which those are is the rule's business (see <see cref="VisibilityRule"/>); positions keep
/// their numbers whatever stays. Pages that a fork shares are copied by whoever is first to write into them.
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly CachePages _near, _far;
    // Entries of the list that its last page is laid out for: a list that was cut back keeps its pages.
    private int _farEntries;
    private bool _disposed;

    /// <summary>A cache that takes nothing yet.</summary>
    internal KvCache(CacheMemory memory, KeyValueShape shape) => (_near, _far) = (new CachePages(memory, shape), new CachePages(memory, shape));

    /// <summary>Frees what nobody gave back.</summary>
    ~KvCache() => Free();

    /// <summary>Bytes it takes now; what it shares with others counts in full.</summary>
    public long ByteLength => _near.BytesFor(int.MaxValue) + _far.BytesFor(_farEntries);

    internal KeyValueTiles Near => _near.Tiles(int.MaxValue);

    internal KeyValueTiles Far => _far.Tiles(_farEntries);

    /// <summary>Entries of the list that it is laid out for.</summary>
    internal int FarEntries => _farEntries;

    /// <summary>Lets so many positions come without a larger table; no page is taken.</summary>
    internal void Expect(int positions) => _near.Grow(KeyValueTiles.TilesOf(positions));

    /// <summary>Makes room for what a pass adds, and lets go of what no row sees any more.</summary>
    /// <param name="need">What is there, what is seen, and what comes.</param>
    /// <exception cref="OutOfMemoryException">What is written stays.</exception>
    internal void Reserve(CacheNeed need)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _near.LetGo(need.NearStart / KeyValueTiles.Length, int.MaxValue);
        for (int tile = need.Held / KeyValueTiles.Length, end = KeyValueTiles.TilesOf(need.Positions); tile < end; tile++)
            _near.Own(tile, KeyValueTiles.Length, KeyValueTiles.Length, Math.Clamp(need.Held - tile * KeyValueTiles.Length, 0, KeyValueTiles.Length));
        int far = Math.Max(need.FarEnd, _farEntries);
        _far.LetGo(need.FarStart / KeyValueTiles.Length, _farEntries);
        for (int tile = need.FarHeld / KeyValueTiles.Length, end = need.FarEnd > need.FarHeld ? KeyValueTiles.TilesOf(far) : 0; tile < end; tile++)
        {
            int held = Math.Clamp(need.FarHeld - tile * KeyValueTiles.Length, 0, KeyValueTiles.Length);
            _far.Own(tile, KeyValueTiles.LanesOf(far, tile), tile * KeyValueTiles.Length < _farEntries ? KeyValueTiles.LanesOf(_farEntries, tile) : 0, held);
        }

        _farEntries = far;
    }

    /// <summary>Gives back what no later position sees.</summary>
    internal void Trim(CacheNeed need)
    {
        _near.LetGo(need.NearStart == need.Held ? KeyValueTiles.TilesOf(need.Held) : need.NearStart / KeyValueTiles.Length, int.MaxValue);
        _far.LetGo(need.FarStart / KeyValueTiles.Length, _farEntries);
    }

    /// <summary>Takes the tiles that the next position sees, to be filled from a file.</summary>
    internal void Restore(CacheNeed need, int farEntries)
    {
        Trim(need);
        for (int tile = need.NearStart / KeyValueTiles.Length; need.NearStart < need.Held && tile < KeyValueTiles.TilesOf(need.Held); tile++)
            _near.Own(tile, KeyValueTiles.Length, KeyValueTiles.Length, 0);
        _farEntries = farEntries;
        for (int tile = need.FarStart / KeyValueTiles.Length; tile < KeyValueTiles.TilesOf(farEntries); tile++)
            _far.Own(tile, KeyValueTiles.LanesOf(farEntries, tile), 0, 0);
    }

    /// <summary>In place of all near positions, a list of so many far ones, to be filled.</summary>
    /// <returns>The list's tiles. What was near is there until <see cref="Trim"/>.</returns>
    internal KeyValueTiles Compact(int entries)
    {
        for (int tile = 0; tile < KeyValueTiles.TilesOf(entries); tile++)
            _far.Own(tile, KeyValueTiles.LanesOf(entries, tile), 0, 0);
        _farEntries = entries;
        return Far;
    }

    /// <summary>Shares what an empty cache of the same rule needs to go on from a position.</summary>
    internal void Share(KvCache other, int position)
    {
        _near.Share(other._near, KeyValueTiles.TilesOf(position));
        _far.Share(other._far, KeyValueTiles.TilesOf(other._farEntries));
        _farEntries = other._farEntries;
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
        _near.LetGo(int.MaxValue, int.MaxValue);
        _far.LetGo(int.MaxValue, _farEntries);
        _farEntries = 0;
    }
}

/// <summary>What a cache is asked for.</summary>
/// <param name="Positions">Positions from 0 that will have been written.</param>
/// <param name="Held">Positions written so far: none before this one is written again.</param>
/// <param name="NearStart">The first near position that later rows see.</param>
/// <param name="FarStart">The first entry of the list that later rows see.</param>
/// <param name="FarHeld">Entries so far.</param>
/// <param name="FarEnd">Entries that there will be.</param>
internal readonly record struct CacheNeed(int Positions, int Held, int NearStart = 0, int FarStart = 0, int FarHeld = 0, int FarEnd = 0);
