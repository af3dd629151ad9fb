using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Every position stays.</summary>
public sealed class FullCache : KvCache
{
    /// <summary>A cache of up to so many positions, which takes nothing yet.</summary>
    internal FullCache(CacheMemory memory, KeyValueShape shape, int positions)
        : base(memory, shape, KeyValueTiles.TilesOf(positions), 0)
    {
    }

    private protected override int FirstSeen(int position) => 0;
}
