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
    private const int Length = KeyValueTiles.Length, Block = KeyValueTiles.BlockLength;

    // Greatest finite half: larger numbers become it, as an infinity would spoil every later position.
    private const float MostHalf = 65504;

    // Scales below have no finite inverse worth the name.
    private const float Least = 1e-30f;

    /// <summary>Puts rows into a tile from a lane on.</summary>
    /// <param name="type">How the tile stores numbers.</param>
    /// <param name="rows">[R, W], at most as many as the tile has lanes left.</param>
    /// <param name="tile">Its first byte.</param>
    /// <param name="lane">The first row's position in the tile.</param>
    /// <param name="isKey">Whether the tile lies as [W, 64], not as [64, W].</param>
    public static void Write(TensorType type, MatrixView rows, byte* tile, int lane, bool isKey)
    {
        int width = rows.Columns, blocks = KeyValueShape.BlocksOf(width);
        if (type == TensorType.F32)
        {
            for (int r = 0; r < rows.Rows; r++)
                Put((float*)(rows.Data + r * rows.RowStride), width, (float*)tile, lane + r, isKey);
            return;
        }

        float* scales = (float*)(tile + Length * width), room = Scratch.Own(2L * width);
        for (int r = 0; r < rows.Rows; r++)
        {
            ReadOnlySpan<float> row = new(rows.Data + r * rows.RowStride, width);
            if (type == TensorType.F16)
            {
                Span<float> near = new(room, width);
                TensorPrimitives.Clamp(row, -MostHalf, MostHalf, near);
                Half* halves = (Half*)(room + width);
                TensorPrimitives.ConvertToHalf(near, new Span<Half>(halves, width));
                Put((ushort*)halves, width, (ushort*)tile, lane + r, isKey);
                continue;
            }

            sbyte* codes = (sbyte*)room;
            for (int b = 0; b < blocks; b++)
            {
                int start = b * Block, count = Math.Min(Block, width - start);
                // A NaN, or an infinity times its inverse, becomes 0 with a scale that makes NaN of it again.
                float scale = Math.Abs(TensorPrimitives.MaxMagnitude(row.Slice(start, count))) / 127, inverse = scale > Least ? 1 / scale : 0;
                for (int i = start; i < start + count; i++)
                    codes[i] = (sbyte)MathF.Round(row[i] * inverse);
                scales[isKey ? b * Length + lane + r : (lane + r) * blocks + b] = scale;
            }

            Put(codes, width, (sbyte*)tile, lane + r, isKey);
        }
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

    /// <summary>Widens lanes of a tile's keys; whole groups of 16 around them are written.</summary>
    /// <param name="type">F16 or Q8_0.</param>
    /// <param name="tile">[K, 64].</param>
    /// <param name="width">K.</param>
    /// <param name="from">The first lane.</param>
    /// <param name="to">Behind the last.</param>
    /// <param name="keys">[K, 64] in single precision.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ReadKeys(TensorType type, byte* tile, int width, int from, int to, float* keys)
    {
        float* scales = (float*)(tile + Length * width);
        for (int lane = from & -16; lane < to; lane += 16)
        {
            if (type == TensorType.F16)
            {
                for (int i = 0; i < width; i++)
                    Halves(tile + 2 * (i * Length + lane)).Store(keys + i * Length + lane);
                continue;
            }

            for (int i = 0; i < width;)
            {
                Vector512<float> scale = Vector512.Load(scales + i / Block * Length + lane);
                for (int end = Math.Min(width, i + Block); i < end; i++)
                    (Codes(tile + i * Length + lane) * scale).Store(keys + i * Length + lane);
            }
        }
    }

    /// <summary>Widens lanes of a tile's values; up to 15 numbers behind them are written too.</summary>
    /// <param name="type">F16 or Q8_0.</param>
    /// <param name="tile">[64, V].</param>
    /// <param name="width">V.</param>
    /// <param name="from">The first lane.</param>
    /// <param name="to">Behind the last.</param>
    /// <param name="values">[64, V] in single precision.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ReadValues(TensorType type, byte* tile, int width, int from, int to, float* values)
    {
        if (type == TensorType.F16)
        {
            for (int i = from * width, end = to * width; i < end; i += 16)
                Halves(tile + 2 * i).Store(values + i);
            return;
        }

        int blocks = KeyValueShape.BlocksOf(width);
        float* scales = (float*)(tile + Length * width);
        // Row by row: what is written too much belongs to the next row, which comes later.
        for (int lane = from; lane < to; lane++)
        {
            for (int i = 0; i < width; i += 16)
                (Codes(tile + lane * width + i) * Vector512.Create(scales[lane * blocks + i / Block])).Store(values + lane * width + i);
        }
    }

    // A NaN is stored as one of the numbers beyond the greatest.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(byte* from)
    {
        Vector512<float> values = Sixteen.Halves(from);
        return Vector512.ConditionalSelect(Vector512.GreaterThan(Vector512.Abs(values), Vector512.Create(MostHalf)), Vector512.Create(float.NaN), values);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Codes(byte* from) => Vector512.ConvertToSingle(Sixteen.Widen(Vector128.Load((sbyte*)from)));

    /// <summary>Zeros for the lanes from one on, whatever lies there.</summary>
    /// <param name="shape">The cache's.</param>
    /// <param name="tile">The bytes of a tile of one head: its keys or its values.</param>
    /// <param name="lane">The first lane to clear.</param>
    /// <param name="isKey">Which of them.</param>
    public static void Clear(KeyValueShape shape, Span<byte> tile, int lane, bool isKey)
    {
        int width = isKey ? shape.HeadDim : shape.ValueDim, size = shape.Type == TensorType.F32 ? 4 : shape.Type == TensorType.F16 ? 2 : 1;
        Clear(tile[..(Length * width * size)], width, size);
        if (shape.Type == TensorType.Q8_0)
            Clear(tile[(Length * width)..], KeyValueShape.BlocksOf(width), sizeof(float));

        void Clear(Span<byte> numbers, int count, int size)
        {
            if (!isKey)
                numbers[(lane * count * size)..].Clear();
            for (int i = 0; isKey && i < count; i++)
                numbers[((i * Length + lane) * size)..((i + 1) * Length * size)].Clear();
        }
    }
}
