using System.Numerics.Tensors;

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
        int k = plan->Key.HeadDim, v = plan->Value.HeadDim, panel = kernel.Columns;
        AttentionTiles tiles = new(kernel, plan->Intervals[plan->OneForAll ? 0 : b]);

        int columns = tiles.Count;
        long keyRoom = AttentionRows.Room(plan->Key, columns, panel), valueRoom = AttentionRows.Room(plan->Value, columns, panel);
        float* panels = Scratch.Own((long)columns * (k + 1) + keyRoom + valueRoom + AttentionRows.Room(plan->Output, Rows, panel) + (kernel.Rows + 1) * Columns + 2 * Rows + 64);
        float* keyRows = panels + (long)columns * k + 16, valueRows = keyRows + keyRoom, outputs = valueRows + valueRoom;
        float* scores = outputs + AttentionRows.Room(plan->Output, Rows, panel), tanh = scores + kernel.Rows * Columns;
        float* most = tanh + Columns, total = most + Rows, positions = total + Rows;
        int next = Math.Min(head + Math.Max(1, plan->Threads / plan->Shares), plan->Query.Batch * groups - 1), nextBatch = next / groups, nextGroup = next % groups;
        AttentionAhead ahead = new(time);
        ahead.Add(plan->Key, nextBatch, nextGroup, 1);
        ahead.Add(plan->Query, nextBatch, nextGroup * heads, heads);
        ahead.Add(plan->Value, nextBatch, nextGroup, 1);
        tiles.PackTransposed(AttentionRows.OfAll(plan->Key, b, group, tiles, 1, keyRows, copy: true), k, panels);
        AttentionRows values = AttentionRows.OfAll(plan->Value, b, group, tiles, panel, valueRows, copy: true);
        if (plan->Slopes != null)
            tiles.Positions(positions);

        for (int first = share * Rows; first < time; first += plan->Shares * Rows)
        {
            int count = Math.Min(Rows, time - first);
            for (int h = group * heads; h < (group + 1) * heads; h++)
            {
                float slope = plan->Slopes == null ? 0 : plan->Slopes[h];
                bool plain = plan->SoftCap == 0 && slope == 0;
                // Scores as they are once scaled; other forms are worked out in place first. Powers are of two.
                float scale = (plain ? plan->Scale : 1) * AttentionScores.Log2E;
                AttentionRows output = AttentionRows.Of(plan->Output, b, first, h, count, panel, outputs, copy: false);
                new Span<float>(total, count).Clear();
                new Span<float>(most, count).Fill(float.MinValue);
                // Groups of rows that have sums by now.
                uint begun = 0;
                for (int interval = 0; interval < 2; interval++)
                {
                    (int start, int end) = tiles.OfRows(first, first + count, interval);
                    for (int tile = start / panel * panel; tile < end; tile += Columns)
                    {
                        for (int group0 = 0; group0 < count; group0 += kernel.Rows)
                        {
                            int rows = Math.Min(kernel.Rows, count - group0);
                            (int from, int to) = tiles.OfRows(first + group0, first + group0 + rows, interval);
                            (from, to) = (Math.Max(from - tile, 0), Math.Min(to - tile, Columns));
                            if (from >= to)
                                continue;
                            tiles.Scores(plan->Query.At(b, first + group0, h), (nint)plan->Query.TimeStride, rows, k, panels, tile, tile + from, tile + to, scores, ref ahead);
                            for (int i = 0; i < rows; i++)
                            {
                                float* row = scores + i * Columns;
                                int r = group0 + i;
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
                                    if (total[r] > 0)
                                    {
                                        float shrink = MathF.Exp((most[r] - greatest) / AttentionScores.Log2E);
                                        total[r] *= shrink;
                                        AttentionScores.Multiply(output.At(r), output.Width, shrink);
                                    }

                                    most[r] = greatest;
                                }

                                total[r] += AttentionScores.Powers(row, low, high, scale, greatest, from, to);
                            }

                            uint bit = 1u << (group0 / kernel.Rows);
                            tiles.Product(scores + from, Columns, 1, rows, to - from, values.At(tile + from), values.StrideAt(tile + from), output.At(group0), output.StrideAt(group0), output.Width, (begun & bit) != 0, ref ahead);
                            begun |= bit;
                        }
                    }
                }

                for (int r = 0; r < count; r++)
                    AttentionScores.Multiply(output.At(r), output.Width, 1 / total[r]);
                output.Save(plan->Output, b, first, h, count);
                // most was measured in powers of two.
                Span<float> logs = new(plan->LogSumExp + ((long)b * plan->Query.Heads + h) * time + first, count);
                TensorPrimitives.Log(new ReadOnlySpan<float>(total, count), logs);
                TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(most, count), 1 / AttentionScores.Log2E, logs, logs);
            }
        }

        ahead.TakeRest();
    }
}
