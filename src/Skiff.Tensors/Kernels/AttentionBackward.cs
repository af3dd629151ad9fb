using System.Numerics.Tensors;

namespace Skiff.Tensors;

/// <summary>
/// The backward pass of <see cref="Attention"/>: a part is one key-value head of one row of the batch with all its queries, so that
/// gradients of keys and values are summed by one thread in one order.
/// </summary>
internal static unsafe class AttentionBackward
{
    private const int Rows = AttentionTiles.Rows, Columns = AttentionTiles.Columns;

    public static void Part(void* state, int part)
    {
        AttentionPlan* plan = (AttentionPlan*)state;
        int groups = plan->Key.Heads, b = part / groups, group = part % groups, heads = plan->Query.Heads / groups, time = plan->Query.Time;
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int k = plan->Key.HeadDim, v = plan->Value.HeadDim, panel = kernel.Columns, step = kernel.Rows;
        AttentionTiles tiles = new(kernel, plan->Intervals[plan->OneForAll ? 0 : b]);

        int columns = tiles.Count;
        long keyRoom = AttentionRows.Room(plan->Key, columns, panel), valueRoom = AttentionRows.Room(plan->Value, columns, panel);
        long queryRoom = AttentionRows.Room(plan->Query, Rows, panel), outputRoom = AttentionRows.Room(plan->Output, Rows, panel);
        float* keyPanels = Scratch.Own((long)columns * (k + v + 1) + 2 * keyRoom + 2 * valueRoom + 2 * queryRoom + outputRoom + (2 * Rows + 1) * Columns + Rows + 64);
        float* valuePanels = keyPanels + (long)columns * k + 16, keyRows = valuePanels + (long)columns * v + 16, dKeyRows = keyRows + keyRoom;
        float* valueRows = dKeyRows + keyRoom, dValueRows = valueRows + valueRoom, queryRows = dValueRows + valueRoom, dQueryRows = queryRows + queryRoom;
        float* dOutputRows = dQueryRows + queryRoom, scores = dOutputRows + outputRoom, dScores = scores + Rows * Columns;
        float* tanh = dScores + Rows * Columns, delta = tanh + Columns, positions = delta + Rows;
        // The first and last column that each group of rows sees of a tile.
        int* froms = stackalloc int[Rows], tos = stackalloc int[Rows];
        int next = Math.Min(part + plan->Threads, plan->Query.Batch * groups - 1), nextBatch = next / groups, nextGroup = next % groups;
        AttentionAhead ahead = new(time);
        ahead.Add(plan->Key, nextBatch, nextGroup, 1);
        ahead.Add(plan->Value, nextBatch, nextGroup, 1);
        ahead.Add(plan->Query, nextBatch, nextGroup * heads, heads);
        ahead.Add(plan->OutputGradient, nextBatch, nextGroup * heads, heads);
        ahead.Add(plan->Output, nextBatch, nextGroup * heads, heads);
        ahead.Add(plan->KeyGradient, nextBatch, nextGroup, 1);
        ahead.Add(plan->ValueGradient, nextBatch, nextGroup, 1);
        AttentionRows keys = AttentionRows.OfAll(plan->Key, b, group, tiles, panel, keyRows, copy: true);
        tiles.PackTransposed(keys, k, keyPanels);
        tiles.PackTransposed(AttentionRows.OfAll(plan->Value, b, group, tiles, panel, valueRows, copy: true), v, valuePanels);
        AttentionRows dKeys = AttentionRows.OfAll(plan->KeyGradient, b, group, tiles, panel, dKeyRows, copy: false);
        AttentionRows dValues = AttentionRows.OfAll(plan->ValueGradient, b, group, tiles, panel, dValueRows, copy: false);
        foreach (AttentionRows sums in (ReadOnlySpan<AttentionRows>)[dKeys, dValues])
        {
            sums.Clear(0, time);
            sums.Clear(tiles.FarBase, tiles.FarEnd);
        }

        if (plan->Slopes != null)
            tiles.Positions(positions);

        for (int first = 0; first < time; first += Rows)
        {
            int count = Math.Min(Rows, time - first);
            for (int h = group * heads; h < (group + 1) * heads; h++)
            {
                float slope = plan->Slopes == null ? 0 : plan->Slopes[h];
                bool plain = plan->SoftCap == 0 && slope == 0;
                float* logs = plan->LogSumExp + ((long)b * plan->Query.Heads + h) * time + first;
                AttentionRows queries = AttentionRows.Of(plan->Query, b, first, h, count, panel, queryRows, copy: true);
                AttentionRows dOutputs = AttentionRows.Of(plan->OutputGradient, b, first, h, count, panel, dOutputRows, copy: true);
                AttentionRows dQueries = AttentionRows.Of(plan->QueryGradient, b, first, h, count, panel, dQueryRows, copy: false);
                for (int r = 0; r < count; r++)
                    delta[r] = TensorPrimitives.Dot(new ReadOnlySpan<float>(dOutputs.At(r), v), new ReadOnlySpan<float>(plan->Output.At(b, first + r, h), v));
                // Groups of rows that have query gradients by now.
                uint begun = 0;
                for (int interval = 0; interval < 2; interval++)
                {
                    (int start, int end) = tiles.OfRows(first, first + count, interval);
                    for (int tile = start / panel * panel; tile < end; tile += Columns)
                    {
                        int tileFrom = Math.Max(start - tile, 0), tileTo = Math.Min(end - tile, Columns);
                        for (int row0 = 0; row0 < count; row0 += step)
                        {
                            int rows = Math.Min(step, count - row0);
                            (int from, int to) = tiles.OfRows(first + row0, first + row0 + rows, interval);
                            (from, to) = (Math.Max(from - tile, tileFrom), Math.Min(to - tile, tileTo));
                            (froms[row0 / step], tos[row0 / step]) = (from, to);
                            if (from < to)
                            {
                                tiles.Scores(queries.At(row0), queries.StrideAt(row0), rows, k, keyPanels, tile, tile + from, tile + to, scores + row0 * Columns, ref ahead);
                                tiles.Scores(dOutputs.At(row0), dOutputs.StrideAt(row0), rows, v, valuePanels, tile, tile + from, tile + to, dScores + row0 * Columns, ref ahead);
                            }

                            for (int r = row0; r < row0 + rows; r++)
                            {
                                float* row = scores + r * Columns;
                                (int low, int high) = tiles.Of(first + r, interval);
                                (low, high) = (Math.Max(low - tile, from), Math.Min(high - tile, to));
                                if (!plain && low < high)
                                    AttentionScores.Transform(row, low, high, plan->Scale, plan->SoftCap, slope, positions + tile, first + r, tanh);
                                AttentionScores.Gradients(
                                    row, dScores + r * Columns, low, high, plain ? plan->Scale : 1, logs[r],
                                    delta[r], plan->Scale, plan->SoftCap > 0 ? tanh : null, tileFrom, tileTo);
                            }

                            if (from >= to)
                                continue;
                            uint bit = 1u << (row0 / step);
                            tiles.Product(
                                dScores + row0 * Columns + from, Columns, 1, rows, to - from, keys.At(tile + from), keys.StrideAt(tile + from),
                                dQueries.At(row0), dQueries.StrideAt(row0), dQueries.Width, (begun & bit) != 0, ref ahead);
                            begun |= bit;
                        }

                        for (int column = tileFrom; column < tileTo; column += step)
                        {
                            // From the first group of rows that sees any of these columns to the last.
                            int rows = Math.Min(step, tileTo - column), low = 0, high = (count + step - 1) / step;
                            while (low < high && (froms[low] >= column + rows || tos[low] <= column))
                                low++;
                            while (low < high && (froms[high - 1] >= column + rows || tos[high - 1] <= column))
                                high--;
                            int top = low * step, length = Math.Min(high * step, count) - top;
                            if (low == high)
                                continue;
                            tiles.Product(
                                scores + top * Columns + column, 1, Columns, rows, length, dOutputs.At(top), dOutputs.StrideAt(top),
                                dValues.At(tile + column), dValues.StrideAt(tile + column), dValues.Width, accumulate: true, ref ahead);
                            tiles.Product(
                                dScores + top * Columns + column, 1, Columns, rows, length, queries.At(top), queries.StrideAt(top),
                                dKeys.At(tile + column), dKeys.StrideAt(tile + column), dKeys.Width, accumulate: true, ref ahead);
                        }
                    }
                }

                dQueries.Save(plan->QueryGradient, b, first, h, count);
            }
        }

        Save(tiles, dKeys, plan->KeyGradient, b, group);
        Save(tiles, dValues, plan->ValueGradient, b, group);
    }

    // A far position has a column of its own beside the near one: the gradient is the sum of both.
    private static void Save(AttentionTiles tiles, AttentionRows sums, HeadsView gradient, int batch, int head)
    {
        sums.Save(gradient, batch, 0, head, gradient.Time);
        for (int column = tiles.FarBase; column < tiles.FarEnd; column++)
        {
            Span<float> target = new(gradient.At(batch, tiles.PositionOf(column), head), gradient.HeadDim);
            TensorPrimitives.Add(target, new ReadOnlySpan<float>(sums.At(column), gradient.HeadDim), target);
        }
    }
}
