using System.Numerics;
using System.Numerics.Tensors;

namespace Skiff.Tensors;

/// <summary>Rows of one key-value head over tiles of its cache. A row is one query head at one position; the heads of a position follow each other.</summary>
internal static unsafe class CachedAttentionBlock
{
    private const int Length = KeyValueTiles.Length;

    /// <summary>One part of <see cref="CachedAttention"/>: to the result, or to the partials where the tiles are shared out.</summary>
    public static void Run(CachedAttentionPlan* plan, CachedRows* rows, CachedAttentionJob* job, int head, int first, int count, int split)
    {
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int k = rows->Tiles.Shape.HeadDim, share = plan->Share, width = plan->Width;
        bool direct = job->Splits == 1;
        KeyValueShape shape = rows->Tiles.Shape;
        int v = shape.ValueDim, size = shape.NumberBytes;
        // Few rows widen whole numbers as they multiply; many do it once beforehand, on whole cache lines, with room for the panel behind the last row.
        bool narrow = shape.IsScaled && count <= kernel.Rows && kernel.Narrow(shape.Type, count) != null, widens = shape.IsScaled && !narrow;
        int wide = widens ? Length * (k + v + 1) : 0;
        float* wideKeys = Scratch.Own(wide + (long)kernel.Rows * (Length + width + 2) + (long)count * (width + k + 2) + 2 * Length), wideValues = wideKeys + Length * k;
        float* scores = wideKeys + wide;
        float* tanh = scores + kernel.Rows * Length, positions = tanh + Length, tileSums = positions + Length, sums = tileSums + kernel.Rows * width;
        float* queries = sums + count * width, most = queries + count * k, total = most + count, kept = total + count;
        for (int r = 0; r < count; r++)
        {
            int row = rows->Row + (first + r) / share;
            ReadOnlySpan<float> query = new(plan->Query.Data + row * plan->Query.RowStride + (head * share + (first + r) % share) * k, k);
            TensorPrimitives.Multiply(query, plan->Settings.Scale * (plan->Factors is null ? 1 : plan->Factors[row]), new Span<float>(queries + r * k, k));
        }

        if (direct)
        {
            new Span<float>(sums, count * width).Clear();
            new Span<float>(most, count).Fill(float.MinValue);
            new Span<float>(total, count).Clear();
        }

        CachedAttentionUnits units = plan->UnitsOf(*rows, first / share, (first + count - 1) / share);
        int unit = direct ? 0 : split * job->SplitUnits, endUnit = direct ? units.Count : Math.Min(units.Count, unit + job->SplitUnits);
        for (; unit < endUnit; unit++)
        {
            int tile = units.TileOf(unit), start = tile * Length;
            byte* keyTile = rows->Tiles.Key(head, tile), valueTile = rows->Tiles.Value(head, tile);
            float* keys = (float*)keyTile, values = (float*)valueTile;
            float* keyScales = shape.IsScaled ? (float*)(keyTile + Length * k * size) : null, valueScales = shape.IsScaled ? (float*)(valueTile + Length * v * size) : null;
            for (int c = 0; plan->Slopes is not null && c < Length; c++)
                positions[c] = start + c;
            bool sinks = unit < units.Sinks;
            int next = units.TileOf(Math.Min(unit + 1, endUnit - 1));
            byte* nextKeys = rows->Tiles.Key(head, next), nextValues = rows->Tiles.Value(head, next);
            if (widens)
            {
                CacheRows.Widen(shape.Type, keyTile, Length * k, wideKeys);
                CacheRows.Widen(shape.Type, valueTile, Length * v, wideValues);
                keys = wideKeys;
                values = wideValues;
            }
            else if (!narrow && count <= kernel.Rows)
            {
                // Keys and values lie behind each other.
                Ahead(nextKeys, shape.KeyBytes + shape.ValueBytes);
            }

            for (int group = 0; group < count; group += kernel.Rows)
            {
                int groupRows = Math.Min(kernel.Rows, count - group);
                float* partial = direct ? tileSums : job->Partials + (((long)head * rows->Count * share + first + group) * job->Units + unit) * plan->PartialStride;
                nint stride = direct ? width : (nint)job->Units * plan->PartialStride;
                int firstPosition = rows->Position + (first + group) / share, lastPosition = rows->Position + (first + group + groupRows - 1) / share;
                // Both ends of what is seen move on from row to row.
                int from = Math.Max(0, plan->Seen(firstPosition, sinks).Start - start), to = Math.Min(Length, plan->Seen(lastPosition, sinks).End - start);
                for (int column = from / kernel.Columns * kernel.Columns; column < to; column += kernel.Columns)
                {
                    if (narrow)
                        kernel.Narrow(shape.Type, groupRows)(k, queries, k, 1, (float*)(keyTile + column * size), Length, scores + column, Length, false, (float*)(nextKeys + k * column * size), 16);
                    else
                        kernel.Tile(groupRows)(k, queries + group * k, k, 1, keys + column, Length, scores + column, Length, false, keys, 0);
                }

                for (int r = 0; r < groupRows; r++)
                {
                    int position = rows->Position + (first + group + r) / share;
                    (float rowMost, float rowTotal) = Soften(plan, scores + r * Length, head * share + (first + group + r) % share, position, start, from, to, sinks, positions, tanh, keyScales, valueScales);
                    if (direct)
                        (kept[2 * r], kept[2 * r + 1]) = (rowMost, rowTotal);
                    else
                        (partial[r * stride + width], partial[r * stride + width + 1]) = (rowMost, rowTotal);
                }

                for (int column = 0; column < width && from < to; column += kernel.Columns)
                {
                    if (narrow)
                        kernel.Narrow(shape.Type, groupRows)(to - from, scores + from, Length, 1, (float*)(valueTile + (from * v + column) * size), v, partial + column, stride, false, (float*)(nextValues + Length * column * size), 16);
                    else
                        kernel.Tile(groupRows)(to - from, scores + from, Length, 1, values + from * v + column, v, partial + column, stride, false, values, 0);
                }

                for (int r = 0; direct && r < groupRows; r++)
                    Join(sums + (group + r) * width, ref most[group + r], ref total[group + r], tileSums + r * width, kept[2 * r], kept[2 * r + 1], width);
            }
        }

        for (int r = 0; direct && r < count; r++)
            plan->Save(rows, head, first + r, sums + r * width, total[r]);
    }

    // A few rows pass over a tile faster than the processor's own prefetching follows.
    private static void Ahead(byte* from, int count)
    {
        for (int i = 0; i < count; i += 64)
            PanelPacking.Ahead((float*)(from + i));
    }

    // The row's powers in place of its scores, 0 where it sees nothing; the greatest score and the sum of the powers.
    private static (float Most, float Total) Soften(
        CachedAttentionPlan* plan, float* scores, int head, int position, int start, int from, int to, bool sinks, float* positions, float* tanh, float* keyScales, float* valueScales)
    {
        (int low, int high) = plan->Seen(position, sinks);
        (low, high) = (Math.Max(low - start, from), Math.Min(high - start, to));
        if (low >= high)
        {
            if (from < to)
                new Span<float>(scores + from, to - from).Clear();
            return (float.MinValue, 0);
        }

        float slope = plan->Slopes is null ? 0 : plan->Slopes[head];
        if (keyScales is not null)
            AttentionScores.Multiply(scores, low, high, keyScales);
        if (plan->Settings.SoftCap > 0 || slope != 0)
            AttentionScores.Transform(scores, low, high, 1, plan->Settings.SoftCap, slope, positions, position, tanh);

        // A whole number: tiles are then joined by powers of two, which lose nothing.
        float most = MathF.Ceiling(AttentionScores.Max(scores, low, high, AttentionScores.Log2E, float.MinValue));
        return (most, AttentionScores.Powers(scores, low, high, AttentionScores.Log2E, most, from, to, valueScales));
    }

    // 2^x for whole x up to 0; below the normal numbers 0.
    private static float PowerOfTwo(float x) => x < -126 ? 0 : BitConverter.Int32BitsToSingle(((int)x + 127) << 23);

    /// <summary>Adds a tile's sums to a row's, measured from the greater of their greatest scores.</summary>
    public static void Join(float* sums, ref float most, ref float total, float* tile, float tileMost, float tileTotal, int width)
    {
        if (tileTotal == 0)
            return;
        float keep = 1, add = 1;
        if (tileMost > most)
            (keep, most) = (PowerOfTwo(most - tileMost), tileMost);
        else
            add = PowerOfTwo(tileMost - most);
        total = total * keep + tileTotal * add;
        Vector<float> keeps = new(keep), adds = new(add);
        // Whole panels, which hold whole vectors.
        for (int i = 0; i < width; i += Vector<float>.Count)
            (Vector.Load(sums + i) * keeps + Vector.Load(tile + i) * adds).Store(sums + i);
    }
}
