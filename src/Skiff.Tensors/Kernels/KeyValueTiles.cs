// G key-value heads, K head size, V value head size
namespace Skiff.Tensors;

/// <summary>
/// Keys and values of one block of one sequence in memory that somebody else owns, in tiles of 64 positions that begin at multiples of
/// 64, head by head. In a tile, keys lie as [K, 64], so that 64 scores are sums without a step across a vector, and values as [64, V].
/// Tiles from <see cref="Pinned"/> on share a ring: a new one takes the place of the oldest.
/// </summary>
internal readonly unsafe struct KeyValueTiles
{
    /// <summary>Positions of a tile.</summary>
    public const int Length = 64;

    // Products read whole panels of values: so much may be touched behind the last row.
    private const int Behind = 64;

    /// <summary>Describes memory of <see cref="ByteLengthOf"/> bytes.</summary>
    /// <param name="data">Its first value, on a 64-byte border.</param>
    /// <param name="shape">G, K and V.</param>
    /// <param name="slots">Tiles that the memory holds for each head.</param>
    /// <param name="pinned">Tiles that are never given up.</param>
    /// <param name="ring">Tiles of the ring when it is whole; the memory may still be shorter.</param>
    public KeyValueTiles(float* data, KeyValueShape shape, int slots, int pinned, int ring)
    {
        (Shape, Slots, Pinned, Ring) = (shape, slots, pinned, ring);
        Keys = data;
        Values = data + (long)shape.Heads * slots * Length * shape.HeadDim;
    }

    public float* Keys { get; }

    public float* Values { get; }

    public KeyValueShape Shape { get; }

    public int Slots { get; }

    public int Pinned { get; }

    public int Ring { get; }

    /// <summary>Bytes for a number of tiles.</summary>
    public static long ByteLengthOf(KeyValueShape shape, int slots) =>
        checked(((long)shape.Heads * slots * Length * (shape.HeadDim + shape.ValueDim) + Behind) * sizeof(float));

    /// <summary>Tiles that hold so many positions from 0.</summary>
    public static int TilesOf(int positions) => (int)((positions + (long)Length - 1) / Length);

    /// <summary>[K, 64].</summary>
    public float* Key(int head, int tile) => Keys + ((long)head * Slots + SlotOf(tile)) * Length * Shape.HeadDim;

    /// <summary>[64, V].</summary>
    public float* Value(int head, int tile) => Values + ((long)head * Slots + SlotOf(tile)) * Length * Shape.ValueDim;

    private int SlotOf(int tile) => tile < Pinned ? tile : Pinned + (tile - Pinned) % Ring;
}

/// <summary>The sizes of a cache: key-value heads, values of a key's head and of a value's.</summary>
internal readonly record struct KeyValueShape(int Heads, int HeadDim, int ValueDim);

/// <summary>Rows of a pass that belong to one sequence, and its cache.</summary>
/// <param name="Tiles">Keys and values up to and with these rows'.</param>
/// <param name="Row">The first row.</param>
/// <param name="Count">How many.</param>
/// <param name="Position">The position of the first.</param>
internal readonly record struct CachedRows(KeyValueTiles Tiles, int Row, int Count, int Position);
