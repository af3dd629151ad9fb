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
    private const int Length = KeyValueTiles.Length;

    // Scales below have no finite inverse worth the name.
    private const float LeastScale = 1e-30f;

    /// <summary>Puts rows into a tile from a lane on.</summary>
    /// <param name="type">How the tile stores numbers.</param>
    /// <param name="rows">[R, W], at most as many as the tile has lanes left.</param>
    /// <param name="tile">Its first byte.</param>
    /// <param name="lane">The first row's position in the tile.</param>
    /// <param name="isKey">Whether the tile lies as [W, 64], not as [64, W].</param>
    public static void Write(TensorType type, MatrixView rows, byte* tile, int lane, bool isKey)
    {
        int width = rows.Columns;
        short* codes = (short*)Scratch.Own(width);
        for (int r = 0; r < rows.Rows; r++)
        {
            float* row = rows.Data + r * rows.RowStride;
            if (type == TensorType.F32)
            {
                Put(row, width, (float*)tile, lane + r, isKey);
                continue;
            }

            bool isShort = type == TensorType.I16;
            float* scales = (float*)(tile + (isShort ? 2 : 1) * Length * width);
            scales[lane + r] = Quantize(row, width, isShort ? short.MaxValue : sbyte.MaxValue, codes);
            if (isShort)
                Put(codes, width, (short*)tile, lane + r, isKey);
            else
                Put(Narrow(codes, width), width, (sbyte*)tile, lane + r, isKey);
        }
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

    private static void Put<T>(T* row, int width, T* tile, int lane, bool isKey)
        where T : unmanaged
    {
        if (!isKey)
        {
            new ReadOnlySpan<T>(row, width).CopyTo(new Span<T>(tile + lane * width, width));
            return;
        }

        tile += lane;
        for (int i = 0; i < width; i++)
            tile[i * Length] = row[i];
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

    /// <summary>Zeros for the lanes from one on, whatever lies there.</summary>
    /// <param name="shape">The cache's.</param>
    /// <param name="tile">The bytes of a tile of one head: its keys or its values.</param>
    /// <param name="lane">The first lane to clear.</param>
    /// <param name="isKey">Which of them.</param>
    public static void Clear(KeyValueShape shape, Span<byte> tile, int lane, bool isKey)
    {
        int width = isKey ? shape.HeadDim : shape.ValueDim, size = shape.NumberBytes;
        for (int i = 0; isKey && i < width; i++)
            tile[((i * Length + lane) * size)..((i + 1) * Length * size)].Clear();
        if (!isKey)
            tile[(lane * width * size)..(Length * width * size)].Clear();
        if (shape.IsScaled)
            tile[(Length * width * size + lane * sizeof(float))..].Clear();
    }
}
