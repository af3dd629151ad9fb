using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// The last positions stay, and with sinks the first ones too (Xiao et al., arXiv 2309.17453); positions keep their numbers. Memory does not
/// grow with the sequence, but for a pointer every 64 positions.
/// </summary>
public sealed class WindowCache : KvCache
{
    private readonly int _window;

    /// <summary>A cache that takes nothing yet.</summary>
    /// <param name="memory">Where memory comes from.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="window">Positions that a position sees, its own included.</param>
    /// <param name="sinks">First positions that all see.</param>
    /// <param name="rows">Positions that a pass may add.</param>
    internal WindowCache(CacheMemory memory, KeyValueShape shape, int window, int sinks, int rows)
        : base(memory, shape, KeyValueTiles.TilesOf(sinks), TilesOf((long)window + rows - 1)) => _window = window;

    private protected override int FirstSeen(int position) => Math.Max(0, position - _window + 1);

    // Tiles that so many positions touch, wherever the first of them lies.
    private static int TilesOf(long positions) => checked((int)((positions + KeyValueTiles.Length - 2) / KeyValueTiles.Length + 1));
}
