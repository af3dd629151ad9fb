using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// The last positions stay, in a ring, and with sinks the first ones too (Xiao et al., arXiv 2309.17453); positions keep their numbers.
/// Memory does not grow with the sequence.
/// </summary>
public sealed class WindowCache : KvCache
{
    /// <summary>A cache that takes nothing yet.</summary>
    /// <param name="memory">Where memory comes from.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="window">Positions that a position sees, its own included.</param>
    /// <param name="sinks">First positions that all see.</param>
    /// <param name="rows">Positions that a pass may add.</param>
    internal WindowCache(CacheMemory memory, KeyValueShape shape, int window, int sinks, int rows)
        : base(memory, shape, KeyValueTiles.TilesOf(sinks), RingTiles(window, rows))
    {
    }

    // Tiles that window + rows - 1 positions touch, wherever the first of them lies.
    private static int RingTiles(int window, int rows) => checked((int)(((long)window + rows - 1 + KeyValueTiles.Length - 2) / KeyValueTiles.Length + 1));
}
