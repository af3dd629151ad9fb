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
        int k = rows->Near.Shape.HeadDim, share = plan->Share, width = plan->Width;
        bool direct = job->Splits == 1;
        KeyValueShape shape = rows->Near.Shape;
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

        CachedAttentionUnits units = CachedAttentionUnits.Of(*rows, first / share, (first + count - 1) / share);
        int unit = direct ? 0 : split * job->SplitUnits, endUnit = direct ? units.Count : Math.Min(units.Count, unit + job->SplitUnits);
        for (; unit < endUnit; unit++)
        {
            bool far = units.IsFar(unit);
            int start = units.TileOf(unit) * Length;
            KeyValueTile tile = TileOf(rows, units, unit), next = TileOf(rows, units, Math.Min(unit + 1, endUnit - 1));
            int lanes = tile.Lanes;
            byte* keyTile = tile.Key(head), valueTile = tile.Value(head), nextKeys = next.Key(head), nextValues = next.Value(head);
            float* keys = (float*)keyTile, values = (float*)valueTile;
            float* keyScales = shape.IsScaled ? tile.KeyScales(head) : null, valueScales = shape.IsScaled ? tile.ValueScales(head) : null;
            for (int c = 0; plan->Slopes is not null && c < lanes; c++)
                positions[c] = far ? rows->FarPositions[start + c] : start + c;
            if (widens)
            {
                CacheRows.Widen(shape.Type, keyTile, lanes * k, wideKeys);
                CacheRows.Widen(shape.Type, valueTile, lanes * v, wideValues);
                keys = wideKeys;
                values = wideValues;
            }
            else if (!narrow && count <= kernel.Rows)
            {
                // Keys and values lie behind each other.
                Ahead(nextKeys, next.HeadBytes);
            }

            for (int group = 0; group < count; group += kernel.Rows)
            {
                int groupRows = Math.Min(kernel.Rows, count - group);
                float* partial = direct ? tileSums : job->Partials + (((long)head * rows->Count * share + first + group) * job->Units + unit) * plan->PartialStride;
                nint stride = direct ? width : (nint)job->Units * plan->PartialStride;
                (int from, int to) = rows->Seen((first + group) / share, (first + group + groupRows - 1) / share, far);
                (from, to) = (Math.Max(0, from - start), Math.Min(lanes, to - start));
                for (int column = from / kernel.Columns * kernel.Columns; column < to; column += kernel.Columns)
                {
                    if (narrow)
                        kernel.Narrow(shape.Type, groupRows)(k, queries, k, 1, (float*)(keyTile + column * size), lanes, scores + column, Length, false, (float*)(nextKeys + k * column * size), 16);
                    else
                        kernel.Tile(groupRows)(k, queries + group * k, k, 1, keys + column, lanes, scores + column, Length, false, keys, 0);
                }

                for (int r = 0; r < groupRows; r++)
                {
                    int row = (first + group + r) / share;
                    (int low, int high) = rows->Seen(row, far);
                    (low, high) = (Math.Max(low - start, from), Math.Min(high - start, to));
                    (float rowMost, float rowTotal) = Soften(
                        plan, scores + r * Length, head * share + (first + group + r) % share, rows->Position + row, (low, high), from, to, positions, tanh, keyScales, valueScales);
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

    private static KeyValueTile TileOf(CachedRows* rows, in CachedAttentionUnits units, int unit) =>
        units.IsFar(unit) ? rows->Far[units.TileOf(unit)] : rows->Near[units.TileOf(unit)];

    // A few rows pass over a tile faster than the processor's own prefetching follows.
    private static void Ahead(byte* from, int count)
    {
        for (int i = 0; i < count; i += 64)
            PanelPacking.Ahead((float*)(from + i));
    }

    // The row's powers in place of its scores, 0 where it sees nothing; the greatest score and the sum of the powers.
    private static (float Most, float Total) Soften(
        CachedAttentionPlan* plan, float* scores, int head, int position, (int Low, int High) seen, int from, int to, float* positions, float* tanh, float* keyScales, float* valueScales)
    {
        (int low, int high) = seen;
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
