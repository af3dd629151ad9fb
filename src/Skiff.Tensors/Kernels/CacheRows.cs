// R rows of some positions, W values of a row (K or V)
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// Between rows in single precision and the tiles of a cache, in any of its number types. What a position's row becomes depends on nothing
/// but the row.
/// </summary>
internal static unsafe class CacheRows
{
    // Scales below have no finite inverse worth the name.
    private const float LeastScale = 1e-30f;

    /// <summary>Puts rows into a tile from a lane on.</summary>
    /// <param name="shape">The cache's.</param>
    /// <param name="rows">[R, W], at most as many as the tile has lanes left.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="head">Whose keys or values they are.</param>
    /// <param name="lane">The first row's entry in the tile.</param>
    /// <param name="isKey">Whether they are keys.</param>
    public static void Write(KeyValueShape shape, MatrixView rows, KeyValueTile tile, int head, int lane, bool isKey)
    {
        int width = rows.Columns, lanes = tile.Lanes;
        byte* numbers = isKey ? tile.Key(head) : tile.Value(head);
        short* codes = (short*)Scratch.Own(width);
        for (int r = 0; r < rows.Rows; r++)
        {
            float* row = rows.Data + r * rows.RowStride;
            if (shape.Type == TensorType.F32)
            {
                Put(row, width, (float*)numbers, lanes, lane + r, isKey);
                continue;
            }

            bool isShort = shape.Type == TensorType.I16;
            (isKey ? tile.KeyScales(head) : tile.ValueScales(head))[lane + r] = Quantize(row, width, isShort ? short.MaxValue : sbyte.MaxValue, codes);
            if (isShort)
                Put(codes, width, (short*)numbers, lanes, lane + r, isKey);
            else
                Put(Narrow(codes, width), width, (sbyte*)numbers, lanes, lane + r, isKey);
        }
    }

    /// <summary>Copies one head's entry of a tile to a lane of another, number by number as it is stored.</summary>
    public static void Copy(KeyValueShape shape, int head, KeyValueTile from, int fromLane, KeyValueTile to, int toLane)
    {
        int size = shape.NumberBytes, k = shape.HeadDim, bytes = shape.ValueDim * size;
        byte* source = from.Key(head), target = to.Key(head);
        if (size == 4)
            CopyKey((int*)source + fromLane, from.Lanes, (int*)target + toLane, to.Lanes, k);
        else if (size == 2)
            CopyKey((short*)source + fromLane, from.Lanes, (short*)target + toLane, to.Lanes, k);
        else
            CopyKey(source + fromLane, from.Lanes, target + toLane, to.Lanes, k);
        new ReadOnlySpan<byte>(from.Value(head) + fromLane * bytes, bytes).CopyTo(new Span<byte>(to.Value(head) + toLane * bytes, bytes));
        if (!shape.IsScaled)
            return;
        to.KeyScales(head)[toLane] = from.KeyScales(head)[fromLane];
        to.ValueScales(head)[toLane] = from.ValueScales(head)[fromLane];
    }

    private static void CopyKey<T>(T* from, int fromLanes, T* to, int toLanes, int width)
        where T : unmanaged
    {
        for (int i = 0; i < width; i++)
            to[i * toLanes] = from[i * fromLanes];
    }

    // Nearest whole numbers up to the greatest, and their scale. A NaN or infinite value gives 0 under a scale that makes NaN of it again.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Quantize(float* row, int width, float greatest, short* codes)
    {
        float scale = Math.Abs(TensorPrimitives.MaxMagnitude(new ReadOnlySpan<float>(row, width))) / greatest;
        float inverse = scale > LeastScale && float.IsFinite(scale) ? 1 / scale : 0;
        int i = 0;
        for (; i <= width - 16 && inverse > 0; i += 16)
        {
            Vector512<int> whole = Vector512.ConvertToInt32Native(Vector512.Round(Vector512.Load(row + i) * inverse));
            Vector512.Narrow(whole, whole).GetLower().Store(codes + i);
        }

        for (; i < width; i++)
            codes[i] = inverse > 0 ? (short)MathF.Round(row[i] * inverse) : (short)0;
        return scale;
    }

    private static sbyte* Narrow(short* codes, int width)
    {
        sbyte* narrow = (sbyte*)codes;
        for (int i = 0; i < width; i++)
            narrow[i] = (sbyte)codes[i];
        return narrow;
    }

    private static void Put<T>(T* row, int width, T* tile, int lanes, int lane, bool isKey)
        where T : unmanaged
    {
        if (!isKey)
        {
            new ReadOnlySpan<T>(row, width).CopyTo(new Span<T>(tile + lane * width, width));
            return;
        }

        tile += lane;
        for (int i = 0; i < width; i++)
            tile[i * lanes] = row[i];
    }

    /// <summary>Whole numbers to single precision, without their scales; up to 15 behind them are written too.</summary>
    /// <param name="type">I16 or I8.</param>
    /// <param name="tile">Where the first lies.</param>
    /// <param name="count">How many, in a row.</param>
    /// <param name="to">Where the first goes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(TensorType type, byte* tile, int count, float* to)
    {
        for (int i = 0; i < count && type == TensorType.I16; i += 16)
            Shorts.Load(tile + 2 * i).Store(to + i);
        for (int i = 0; i < count && type == TensorType.I8; i += 16)
            Bytes.Load(tile + i).Store(to + i);
    }

    /// <summary>Zeros for some lanes, whatever lies there.</summary>
    /// <param name="shape">The cache's.</param>
    /// <param name="tile">The bytes of a tile of one head: its keys or its values.</param>
    /// <param name="lanes">Lanes of the tile.</param>
    /// <param name="from">The first lane to clear.</param>
    /// <param name="to">The one behind the last.</param>
    /// <param name="isKey">Which of them.</param>
    public static void Clear(KeyValueShape shape, Span<byte> tile, int lanes, int from, int to, bool isKey)
    {
        int width = isKey ? shape.HeadDim : shape.ValueDim, size = shape.NumberBytes, numbers = shape.NumbersBytes(lanes, width);
        for (int i = 0; isKey && i < width; i++)
            tile[((i * lanes + from) * size)..((i * lanes + to) * size)].Clear();
        if (!isKey)
            tile[(from * width * size)..(to * width * size)].Clear();
        // What fills up to the border of the scales.
        tile[(lanes * width * size)..numbers].Clear();
        if (shape.IsScaled)
            tile[(numbers + from * sizeof(float))..(numbers + to * sizeof(float))].Clear();
    }
}
