// G key-value heads, K head size, V value head size, L lanes of a tile
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// Keys and values of one block of one sequence, in pages that somebody else owns: a page holds one tile of 64 entries, head by head. Keys lie
/// as [K, L], so that scores are sums without a step across a vector, and values as [L, V]. Entries are positions, or far positions in the
/// order of their list.
/// </summary>
/// <param name="pages">Where the page of each tile begins; null for a tile that is not there.</param>
/// <param name="shape">G, K, V and how numbers are stored.</param>
/// <param name="entries">Entries of a list, whose last tile has no more lanes than it needs; otherwise all tiles are whole.</param>
internal readonly unsafe struct KeyValueTiles(byte** pages, KeyValueShape shape, int entries = int.MaxValue)
{
    /// <summary>Entries of a whole tile.</summary>
    public const int Length = 64;

    public KeyValueShape Shape => shape;

    /// <summary>Tiles that hold so many entries from 0.</summary>
    public static int TilesOf(int entries) => (int)((entries + (long)Length - 1) / Length);

    /// <summary>Lanes of a tile of a list of so many entries: a few more than there are, so that not every new one moves them.</summary>
    public static int LanesOf(int entries, int tile)
    {
        int left = Math.Min(Length, entries - tile * Length);
        return left <= 16 ? left : (left + 7) / 8 * 8;
    }

    /// <summary>A tile that is there.</summary>
    public KeyValueTile this[int tile]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(pages[tile], shape, LanesOf(entries, tile));
    }
}

/// <summary>One tile.</summary>
/// <param name="page">Where it begins.</param>
/// <param name="shape">G, K, V and how numbers are stored.</param>
/// <param name="lanes">L.</param>
internal readonly unsafe struct KeyValueTile(byte* page, KeyValueShape shape, int lanes)
{
    /// <summary>L.</summary>
    public int Lanes => lanes;

    /// <summary>Bytes of the keys of one head and, behind them, its values.</summary>
    public int HeadBytes => shape.KeyBytes(lanes) + shape.ValueBytes(lanes);

    /// <summary>[K, L], and behind whole numbers a single-precision scale for each entry, [L].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Key(int head) => page + head * HeadBytes;

    /// <summary>[L, V], and behind whole numbers a scale for each entry, [L].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Value(int head) => Key(head) + shape.KeyBytes(lanes);

    /// <summary>The scales behind whole-numbered keys.</summary>
    public float* KeyScales(int head) => (float*)(Key(head) + shape.NumbersBytes(lanes, shape.HeadDim));

    /// <summary>The scales behind whole-numbered values.</summary>
    public float* ValueScales(int head) => (float*)(Value(head) + shape.NumbersBytes(lanes, shape.ValueDim));
}

/// <summary>The sizes of a cache: key-value heads, values of a key's head and of a value's, and how numbers are stored.</summary>
/// <param name="Heads">G.</param>
/// <param name="HeadDim">K.</param>
/// <param name="ValueDim">V.</param>
/// <param name="Type">F32, or I16 or I8: whole numbers, and a scale for each position of a head, what is stored being their product.</param>
internal readonly record struct KeyValueShape(int Heads, int HeadDim, int ValueDim, TensorType Type = TensorType.F32)
{
    // Products read whole panels: so much may be touched behind the last row.
    private const int Behind = 64 * sizeof(float);

    /// <summary>Bytes of a whole tile of all heads.</summary>
    public long PageBytes => PageBytesOf(KeyValueTiles.Length);

    /// <summary>Bytes that a position takes.</summary>
    public long PositionBytes => (long)Heads * ((HeadDim + ValueDim) * NumberBytes + (IsScaled ? 2 * sizeof(float) : 0));

    /// <summary>Whether whole numbers are stored.</summary>
    public bool IsScaled => Type != TensorType.F32;

    /// <summary>Bytes of a number.</summary>
    public int NumberBytes => Type == TensorType.I8 ? 1 : Type == TensorType.I16 ? 2 : 4;

    /// <summary>Bytes of the keys of one head in a tile.</summary>
    public int KeyBytes(int lanes) => NumbersBytes(lanes, HeadDim) + ScaleBytes(lanes);

    /// <summary>Bytes of the values of one head in a tile.</summary>
    public int ValueBytes(int lanes) => NumbersBytes(lanes, ValueDim) + ScaleBytes(lanes);

    /// <summary>Bytes of a tile of all heads.</summary>
    public long PageBytesOf(int lanes) => checked((long)Heads * (KeyBytes(lanes) + ValueBytes(lanes)) + Behind);

    /// <summary>Bytes of the numbers of some rows, without their scales, which lie on a border of four.</summary>
    public int NumbersBytes(int lanes, int width) => (lanes * width * NumberBytes + 3) / 4 * 4;

    private int ScaleBytes(int lanes) => IsScaled ? lanes * sizeof(float) : 0;
}

/// <summary>Rows of a pass that belong to one sequence, its cache, and what they see of it.</summary>
/// <param name="near">Keys and values by position, up to and with these rows'.</param>
/// <param name="row">The first row.</param>
/// <param name="count">How many.</param>
/// <param name="position">The position of the first.</param>
internal readonly unsafe struct CachedRows(KeyValueTiles near, int row, int count, int position)
{
    public KeyValueTiles Near => near;

    public int Row => row;

    public int Count => count;

    public int Position => position;

    /// <summary>Keys and values of far positions, in the order of their list.</summary>
    public KeyValueTiles Far { get; init; }

    /// <summary>[Count], the first near position that each row sees; null where all see everything from 0 on and there is no list.</summary>
    public int* NearStart { get; init; }

    /// <summary>[Count], what each row sees of the list.</summary>
    public int* FarStart { get; init; }

    /// <inheritdoc cref="FarStart"/>
    public int* FarEnd { get; init; }

    /// <summary>The positions of the list's entries, for biases by distance; null where nobody asks.</summary>
    public int* FarPositions { get; init; }

    /// <summary>What these rows put at the end of the list: positions that are near still, or the complement (~) of an entry that is listed again.</summary>
    public int* Added { get; init; }

    /// <summary>How many.</summary>
    public int AddedCount { get; init; }

    /// <summary>Where in the list the first of them goes.</summary>
    public int AddedAt { get; init; }

    /// <summary>What a row, counted from the first, sees of the list or of near positions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (int Start, int End) Seen(int at, bool far) => far ? (FarStart[at], FarEnd[at]) : (NearStart is null ? 0 : NearStart[at], position + at + 1);

    /// <summary>What any of some rows sees, from the first to the end of the last; both 0 for nothing.</summary>
    public (int Start, int End) Seen(int firstRow, int lastRow, bool far)
    {
        // Both ends of what is near move on from row to row.
        if (!far)
            return (Seen(firstRow, far: false).Start, position + lastRow + 1);
        (int start, int end) = (int.MaxValue, 0);
        for (int at = firstRow; at <= lastRow && NearStart is not null; at++)
        {
            if (FarStart[at] < FarEnd[at])
                (start, end) = (Math.Min(start, FarStart[at]), Math.Max(end, FarEnd[at]));
        }

        return end == 0 ? (0, 0) : (start, end);
    }
}
