// N rows, G key-value heads, K head size, V value head size
namespace Skiff.Tensors;

/// <summary>Puts new keys and values into their tiles, and those of far positions into the list's too. A copy: results are the same for any number of threads.</summary>
internal static unsafe class CacheWrite
{
    private const int PartValues = 1 << 14;

    /// <summary>Rows of several sequences into the caches of each.</summary>
    /// <param name="sequences">Whose the rows are; all caches of one shape.</param>
    /// <param name="count">How many sequences.</param>
    /// <param name="keys">[N, G K]; rows may be apart.</param>
    /// <param name="values">The first head's values, [N, V]; rows may be apart.</param>
    /// <param name="valueStride">Values from one head's value to the next head's.</param>
    /// <param name="team">Threads to share the heads; the process's own when null.</param>
    public static void Run(CachedRows* sequences, int count, MatrixView keys, MatrixView values, int valueStride, ThreadTeam? team = null)
    {
        KeyValueShape shape = sequences[0].Near.Shape;
        int pairs = count * shape.Heads, each = Math.Max(1, keys.Rows / count) * (shape.HeadDim + shape.ValueDim);
        Plan plan = new() { Sequences = sequences, Keys = keys, Values = values, ValueStride = valueStride, Pairs = pairs, PartPairs = Math.Max(1, PartValues / each) };
        (team ?? ThreadTeam.Default).Run((pairs + plan.PartPairs - 1) / plan.PartPairs, &Part, &plan);
    }

    private static void Part(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        for (int pair = part * plan->PartPairs, end = Math.Min(plan->Pairs, pair + plan->PartPairs); pair < end; pair++)
        {
            int heads = plan->Sequences[0].Near.Shape.Heads;
            Head(plan, plan->Sequences + pair / heads, pair % heads);
        }
    }

    private static void Head(Plan* plan, CachedRows* rows, int head)
    {
        const int Length = KeyValueTiles.Length;
        KeyValueShape shape = rows->Near.Shape;
        for (int done = 0; done < rows->Count;)
        {
            int position = rows->Position + done, lane = position % Length, run = Math.Min(rows->Count - done, Length - lane);
            MatrixView keys = RowsOf(plan->Keys, rows->Row + done, run, head * shape.HeadDim, shape.HeadDim);
            MatrixView values = RowsOf(plan->Values, rows->Row + done, run, head * plan->ValueStride, shape.ValueDim);
            KeyValueTile tile = rows->Near[position / Length];
            CacheRows.Write(shape, keys, tile, head, lane, isKey: true);
            CacheRows.Write(shape, values, tile, head, lane, isKey: false);
            done += run;
        }

        for (int i = 0; i < rows->AddedCount; i++)
        {
            int added = rows->Added[i], from = added < 0 ? ~added : added, at = rows->AddedAt + i;
            CacheRows.Copy(shape, head, (added < 0 ? rows->Far : rows->Near)[from / Length], from % Length, rows->Far[at / Length], at % Length);
        }
    }

    private static MatrixView RowsOf(in MatrixView all, int row, int count, int column, int width) =>
        new(all.Data + row * all.RowStride + column, count, width, all.RowStride);

    private struct Plan
    {
        public CachedRows* Sequences;
        public MatrixView Keys, Values;
        public int ValueStride, Pairs, PartPairs;
    }
}
