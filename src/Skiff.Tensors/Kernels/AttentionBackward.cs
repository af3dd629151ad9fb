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
        int k = plan->Key.HeadDim, v = plan->Value.HeadDim;
        int kWidth = AttentionTiles.Up(k, kernel.Columns), vWidth = AttentionTiles.Up(v, kernel.Columns);
        AttentionTiles tiles = new(kernel, plan->Intervals[plan->OneForAll ? 0 : b]);

        long columns = tiles.Count;
        float* keys = Scratch.Own(columns * (k + v + 2 * kWidth + 2 * vWidth + 1) + Rows * (3L * Columns + 2 * kWidth + vWidth + 1) + 64);
        float* keyPanels = keys + columns * kWidth, valuePanels = keyPanels + columns * k + 16;
        float* values = valuePanels + columns * v + 16, dKeys = values + columns * vWidth, dValues = dKeys + columns * kWidth;
        float* positions = dValues + columns * vWidth, scores = positions + columns, dScores = scores + Rows * Columns;
        float* tanh = dScores + Rows * Columns, queries = tanh + Rows * Columns, dQueries = queries + Rows * kWidth;
        float* dOutputs = dQueries + Rows * kWidth, delta = dOutputs + Rows * vWidth;
        tiles.CopyRows(plan->Key.At(b, 0, group), plan->Key.TimeStride, k, keys, kWidth);
        tiles.PackTransposed(keys, kWidth, k, keyPanels);
        tiles.CopyRows(plan->Value.At(b, 0, group), plan->Value.TimeStride, v, values, vWidth);
        tiles.PackTransposed(values, vWidth, v, valuePanels);
        if (plan->Slopes != null)
            tiles.Positions(positions);
        new Span<float>(dKeys, checked((int)(columns * kWidth))).Clear();
        new Span<float>(dValues, checked((int)(columns * vWidth))).Clear();

        for (int first = 0; first < time; first += Rows)
        {
            int count = Math.Min(Rows, time - first);
            for (int h = group * heads; h < (group + 1) * heads; h++)
            {
                float slope = plan->Slopes == null ? 0 : plan->Slopes[h];
                bool plain = plan->SoftCap == 0 && slope == 0;
                float* logs = plan->LogSumExp + ((long)b * plan->Query.Heads + h) * time + first;
                Load(plan->Query, b, first, h, count, queries, kWidth);
                Load(plan->OutputGradient, b, first, h, count, dOutputs, vWidth);
                for (int r = 0; r < count; r++)
                    delta[r] = (float)Linear.Dot(new ReadOnlySpan<float>(dOutputs + r * vWidth, v), new ReadOnlySpan<float>(plan->Output.At(b, first + r, h), v));
                new Span<float>(dQueries, count * kWidth).Clear();
                for (int interval = 0; interval < 2; interval++)
                {
                    (int start, int end) = tiles.OfTile(first, first + count, interval);
                    for (int tile = start / Columns * Columns; tile < end; tile += Columns)
                    {
                        int from = Math.Max(start - tile, 0), to = Math.Min(end - tile, Columns);
                        tiles.Scores(queries, kWidth, count, k, keyPanels, tile, tile + from, tile + to, scores);
                        tiles.Scores(dOutputs, vWidth, count, v, valuePanels, tile, tile + from, tile + to, dScores);
                        for (int r = 0; r < count; r++)
                        {
                            float* row = scores + r * Columns, dRow = dScores + r * Columns;
                            (int low, int high) = tiles.Of(first + r, interval);
                            (low, high) = (Math.Max(low - tile, from), Math.Min(high - tile, to));
                            if (low >= high)
                            {
                                new Span<float>(row + from, to - from).Clear();
                                new Span<float>(dRow + from, to - from).Clear();
                                continue;
                            }

                            if (!plain)
                                AttentionScores.Transform(row, low, high, plan->Scale, plan->SoftCap, slope, positions + tile, first + r, tanh);
                            AttentionScores.Exponentials(row, low, high, plain ? plan->Scale : 1, logs[r], from, to);
                            AttentionScores.Gradients(row, dRow, delta[r], plan->Scale, plan->SoftCap > 0 ? tanh : null, low, high, from, to);
                        }

                        long column = tile + from;
                        AttentionTiles.Add(kernel, scores + from, 1, Columns, to - from, count, dOutputs, dValues + column * vWidth, vWidth);
                        AttentionTiles.Add(kernel, dScores + from, 1, Columns, to - from, count, queries, dKeys + column * kWidth, kWidth);
                        AttentionTiles.Add(kernel, dScores + from, Columns, 1, count, to - from, keys + column * kWidth, dQueries, kWidth);
                    }
                }

                for (int r = 0; r < count; r++)
                    new ReadOnlySpan<float>(dQueries + r * kWidth, k).CopyTo(new Span<float>(plan->QueryGradient.At(b, first + r, h), k));
            }
        }

        Save(tiles, dKeys, kWidth, plan->KeyGradient, b, group);
        Save(tiles, dValues, vWidth, plan->ValueGradient, b, group);
    }

    private static void Load(HeadsView view, int batch, int first, int head, int count, float* rows, int width)
    {
        for (int r = 0; r < count; r++, rows += width)
        {
            new ReadOnlySpan<float>(view.At(batch, first + r, head), view.HeadDim).CopyTo(new Span<float>(rows, view.HeadDim));
            new Span<float>(rows + view.HeadDim, width - view.HeadDim).Clear();
        }
    }

    // A far position has a column of its own beside the near one: the gradient is the sum of both.
    private static void Save(AttentionTiles tiles, float* sums, int width, HeadsView gradient, int batch, int head)
    {
        for (int t = 0; t < gradient.Time; t++)
            new ReadOnlySpan<float>(sums + (long)t * width, gradient.HeadDim).CopyTo(new Span<float>(gradient.At(batch, t, head), gradient.HeadDim));
        for (int column = tiles.FarBase; column < tiles.FarEnd; column++)
        {
            float* target = gradient.At(batch, tiles.PositionOf(column), head);
            for (int i = 0; i < gradient.HeadDim; i++)
                target[i] += sums[(long)column * width + i];
        }
    }
}
