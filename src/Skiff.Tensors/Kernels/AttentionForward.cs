namespace Skiff.Tensors;

/// <summary>The forward pass of <see cref="Attention"/>: a part is one key-value head of one row of the batch, or a share of its queries.</summary>
internal static unsafe class AttentionForward
{
    private const int Rows = AttentionTiles.Rows, Columns = AttentionTiles.Columns;

    public static void Part(void* state, int part)
    {
        AttentionPlan* plan = (AttentionPlan*)state;
        int share = part % plan->Shares, head = part / plan->Shares, groups = plan->Key.Heads;
        int b = head / groups, group = head % groups, heads = plan->Query.Heads / groups, time = plan->Query.Time;
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int k = plan->Key.HeadDim, v = plan->Value.HeadDim;
        int width = AttentionTiles.Up(v, kernel.Columns), keyWidth = AttentionTiles.Up(k, 16);
        AttentionTiles tiles = new(kernel, plan->Intervals[plan->OneForAll ? 0 : b]);

        long columns = tiles.Count;
        float* panels = Scratch.Own(columns * (k + width + keyWidth + 1) + Rows * (Columns + width) + 4 * Columns + 2 * Rows + 64);
        float* values = panels + columns * k + 16, rows = values + columns * width;
        float* positions = rows + columns * keyWidth, scores = positions + columns, sums = scores + Rows * Columns;
        float* tanh = sums + Rows * width, most = tanh + Columns, total = most + Rows;
        tiles.CopyRows(plan->Key.At(b, 0, group), plan->Key.TimeStride, k, rows, keyWidth);
        tiles.PackTransposed(rows, keyWidth, k, panels);
        tiles.CopyRows(plan->Value.At(b, 0, group), plan->Value.TimeStride, v, values, width);
        if (plan->Slopes != null)
            tiles.Positions(positions);

        for (int first = share * Rows; first < time; first += plan->Shares * Rows)
        {
            int count = Math.Min(Rows, time - first);
            for (int h = group * heads; h < (group + 1) * heads; h++)
            {
                float slope = plan->Slopes == null ? 0 : plan->Slopes[h];
                bool plain = plan->SoftCap == 0 && slope == 0;
                // Scores as they are once scaled; other forms are worked out in place first.
                float scale = plain ? plan->Scale : 1;
                new Span<float>(sums, count * width).Clear();
                new Span<float>(total, count).Clear();
                new Span<float>(most, count).Fill(float.MinValue);
                for (int interval = 0; interval < 2; interval++)
                {
                    (int start, int end) = tiles.OfTile(first, first + count, interval);
                    for (int tile = start / Columns * Columns; tile < end; tile += Columns)
                    {
                        int from = Math.Max(start - tile, 0), to = Math.Min(end - tile, Columns);
                        tiles.Scores(plan->Query.At(b, first, h), (nint)plan->Query.TimeStride, count, k, panels, tile, tile + from, tile + to, scores);
                        for (int r = 0; r < count; r++)
                        {
                            float* row = scores + r * Columns;
                            (int low, int high) = tiles.Of(first + r, interval);
                            (low, high) = (Math.Max(low - tile, from), Math.Min(high - tile, to));
                            if (low >= high)
                            {
                                new Span<float>(row + from, to - from).Clear();
                                continue;
                            }

                            if (!plain)
                                AttentionScores.Transform(row, low, high, plan->Scale, plan->SoftCap, slope, positions + tile, first + r, tanh);
                            float greatest = AttentionScores.Max(row, low, high, scale, most[r]);
                            if (greatest > most[r])
                            {
                                // What was summed so far was measured from a lower score.
                                float shrink = MathF.Exp(most[r] - greatest);
                                total[r] *= shrink;
                                Multiply(sums + r * width, width, shrink);
                                most[r] = greatest;
                            }

                            total[r] += AttentionScores.Exponentials(row, low, high, scale, greatest, from, to);
                        }

                        AttentionTiles.Add(kernel, scores + from, Columns, 1, count, to - from, values + (long)(tile + from) * width, sums, width);
                    }
                }

                float* logs = plan->LogSumExp + ((long)b * plan->Query.Heads + h) * time + first;
                for (int r = 0; r < count; r++)
                {
                    Multiply(sums + r * width, width, 1 / total[r]);
                    new ReadOnlySpan<float>(sums + r * width, v).CopyTo(new Span<float>(plan->Output.At(b, first + r, h), v));
                    logs[r] = most[r] + MathF.Log(total[r]);
                }
            }
        }
    }

    private static void Multiply(float* values, int count, float factor)
    {
        Span<float> span = new(values, count);
        System.Numerics.Tensors.TensorPrimitives.Multiply(span, factor, span);
    }
}
