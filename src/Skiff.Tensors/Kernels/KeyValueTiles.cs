// G key-value heads, K head size, V value head size
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// Keys and values of one block of one sequence, in pages that somebody else owns: a page holds one tile of 64 positions, which begin at a
/// multiple of 64, head by head. Keys lie as [K, 64], so that 64 scores are sums without a step across a vector, and values as [64, V].
/// </summary>
/// <param name="pages">Where the page of each tile begins; null for a tile that is not there.</param>
/// <param name="shape">G, K, V and how numbers are stored.</param>
internal readonly unsafe struct KeyValueTiles(byte** pages, KeyValueShape shape)
{
    /// <summary>Positions of a tile.</summary>
    public const int Length = 64;

    public KeyValueShape Shape => shape;

    /// <summary>Tiles that hold so many positions from 0.</summary>
    public static int TilesOf(int positions) => (int)((positions + (long)Length - 1) / Length);

    /// <summary>[K, 64], and behind whole numbers a single-precision scale for each position, [64].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Key(int head, int tile) => pages[tile] + head * (shape.KeyBytes + shape.ValueBytes);

    /// <summary>[64, V], and behind whole numbers a scale for each position, [64].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Value(int head, int tile) => Key(head, tile) + shape.KeyBytes;
}

/// <summary>The sizes of a cache: key-value heads, values of a key's head and of a value's, and how numbers are stored.</summary>
/// <param name="Heads">G.</param>
/// <param name="HeadDim">K.</param>
/// <param name="ValueDim">V.</param>
/// <param name="Type">F32, or I16 or I8: whole numbers, and a scale for each position of a head, what is stored being their product.</param>
internal readonly record struct KeyValueShape(int Heads, int HeadDim, int ValueDim, TensorType Type = TensorType.F32)
{
    // Products read whole panels of values: so much may be touched behind the last row.
    private const int Behind = 64 * sizeof(float);

    /// <summary>Bytes of a tile's keys of one head.</summary>
    public int KeyBytes => KeyValueTiles.Length * BytesOf(HeadDim);

    /// <summary>Bytes of a tile's values of one head.</summary>
    public int ValueBytes => KeyValueTiles.Length * BytesOf(ValueDim);

    /// <summary>Bytes of a tile of all heads.</summary>
    public long PageBytes => checked((long)Heads * (KeyBytes + ValueBytes) + Behind);

    /// <summary>Bytes that a position takes.</summary>
    public long PositionBytes => (long)Heads * (BytesOf(HeadDim) + BytesOf(ValueDim));

    /// <summary>Whether whole numbers are stored.</summary>
    public bool IsScaled => Type != TensorType.F32;

    /// <summary>Bytes of a number.</summary>
    public int NumberBytes => Type == TensorType.I8 ? 1 : Type == TensorType.I16 ? 2 : 4;

    private int BytesOf(int values) => values * NumberBytes + (IsScaled ? sizeof(float) : 0);
}

/// <summary>Rows of a pass that belong to one sequence, and its cache.</summary>
/// <param name="Tiles">Keys and values up to and with these rows'.</param>
/// <param name="Row">The first row.</param>
/// <param name="Count">How many.</param>
/// <param name="Position">The position of the first.</param>
internal readonly record struct CachedRows(KeyValueTiles Tiles, int Row, int Count, int Position);
