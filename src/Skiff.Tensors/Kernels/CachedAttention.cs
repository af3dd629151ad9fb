// N rows of a pass, H heads, G key-value heads, K head size, V value head size
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// Attention of new positions over the caches of their sequences: softmax of products in powers of two, tile by tile of keys, without scores
/// beyond a tile; a key that is read serves all its query heads. What a row sees of a tile is summed by itself, and tiles are joined in
/// order: a row's result has the same bits alone or among others, in any chunk of its prompt, and for any number of threads.
/// </summary>
internal static unsafe class CachedAttention
{
    // Rows of a part: so many share each tile of keys while it is near. A multiple of the rows of all innermost products.
    private const int BlockRows = 96;

    // Parts for each thread where a sequence's tiles are shared out, the least values that such a part reads, and the most values that
    // may lie between the parts and their joining.
    private const int PartsPerThread = 4, LeastPartValues = 1 << 14;
    private const long MostPartials = 1 << 22;

    /// <summary>The results of all rows.</summary>
    /// <param name="sequences">Whose the rows are and what they see, with the new keys written; all caches of one shape.</param>
    /// <param name="count">How many sequences.</param>
    /// <param name="query">[N, H K]; rows may be apart.</param>
    /// <param name="factors">[N], each row's own factor on the scale, or null for 1.</param>
    /// <param name="slopes">[H], slopes of a linear bias, or empty.</param>
    /// <param name="settings">How scores are made.</param>
    /// <param name="output">[N, H V], overwritten; rows may be apart.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other, or the values of a row lie apart.</exception>
    public static void Forward(
        CachedRows* sequences, int count, MatrixView query, float* factors, ReadOnlySpan<float> slopes, CachedAttentionSettings settings,
        MatrixView output, ThreadTeam? team = null) =>
        Forward(sequences, count, query, factors, slopes, settings, output, team ?? ThreadTeam.Default, IsaChoice.Current);

    internal static void Forward(
        CachedRows* sequences, int count, MatrixView query, float* factors, ReadOnlySpan<float> slopes, CachedAttentionSettings settings,
        MatrixView output, ThreadTeam team, Isa isa)
    {
        KeyValueShape shape = sequences[0].Near.Shape;
        int heads = query.Columns / shape.HeadDim;
        if (query.Columns % shape.HeadDim != 0 || heads % shape.Heads != 0 || output.Columns != heads * shape.ValueDim || output.Rows != query.Rows
            || query.ColumnStride != 1 || output.ColumnStride != 1 || (slopes.Length != 0 && slopes.Length != heads))
            throw new ArgumentException($"[{query.Rows}, {query.Columns}] over {shape} to [{output.Rows}, {output.Columns}] with {slopes.Length} slopes, or values of a row apart", nameof(query));
        fixed (float* s = slopes)
        {
            CachedAttentionPlan plan = new()
            {
                Sequences = sequences,
                Count = count,
                Query = query,
                Output = output,
                Factors = factors,
                Slopes = s,
                Settings = settings,
                Isa = isa,
                Share = heads / shape.Heads,
            };
            plan.Width = AttentionTiles.Up(shape.ValueDim, MicroKernel.Of(plan.Isa).Columns);
            bool split = ShareOut(ref plan, shape, team.Threads);
            team.Run(plan.Parts, &Part, &plan);
            if (split)
                team.Run(count * shape.Heads, &JoinPart, &plan);
        }
    }

    // One part for each head and block of rows; where these are fewer than the threads could use, tiles are shared out too.
    private static bool ShareOut(ref CachedAttentionPlan plan, KeyValueShape shape, int threads)
    {
        int blocks = 0;
        long partials = 0, jobValues = ((long)plan.Count * sizeof(CachedAttentionJob) + 63) / 64 * 16;
        for (int s = 0; s < plan.Count; s++)
        {
            blocks += BlocksOf(plan.Sequences[s], plan.Share) * shape.Heads;
            partials += PartialsOf(plan, plan.Sequences[s]);
        }

        bool split = threads > 1 && blocks < PartsPerThread * threads && partials <= MostPartials;
        // Room grows by doubling: a sequence that grows asks for no more every time.
        float* room = Scratch.Shared(jobValues + (split ? (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)partials) : 0));
        plan.Jobs = (CachedAttentionJob*)room;
        bool any = false;
        long used = jobValues;
        for (int s = 0; s < plan.Count; s++)
        {
            CachedAttentionJob job = new() { FirstPart = plan.Parts, Blocks = BlocksOf(plan.Sequences[s], plan.Share), Splits = 1 };
            if (split && job.Blocks == 1)
            {
                job.Units = CachedAttentionUnits.Of(plan.Sequences[s], 0, plan.Sequences[s].Count - 1).Count;
                int least = Math.Max(1, LeastPartValues / (KeyValueTiles.Length * (shape.HeadDim + shape.ValueDim)));
                int wanted = (PartsPerThread * threads + blocks - 1) / blocks;
                job.SplitUnits = Math.Max(least, (job.Units + wanted - 1) / wanted);
                job.Splits = (job.Units + job.SplitUnits - 1) / job.SplitUnits;
                if (job.Splits > 1)
                {
                    any = true;
                    job.Partials = room + used;
                    used += PartialsOf(plan, plan.Sequences[s]);
                }
            }

            plan.Jobs[s] = job;
            plan.Parts += job.Blocks * job.Splits * shape.Heads;
        }

        return any;
    }

    private static int BlocksOf(in CachedRows rows, int share) => (rows.Count * share + BlockRows - 1) / BlockRows;

    private static long PartialsOf(in CachedAttentionPlan plan, in CachedRows rows) => BlocksOf(rows, plan.Share) > 1 ? 0
        : (long)rows.Near.Shape.Heads * rows.Count * plan.Share * CachedAttentionUnits.Of(rows, 0, rows.Count - 1).Count * plan.PartialStride;

    private static void Part(void* state, int part)
    {
        CachedAttentionPlan* plan = (CachedAttentionPlan*)state;
        // The last rows see the most: they come first, so that no thread is left with one of them in the end.
        int at = plan->Parts - 1 - part, s = plan->Count - 1;
        while (plan->Jobs[s].FirstPart > at)
            s--;
        CachedAttentionJob* job = plan->Jobs + s;
        CachedRows* rows = plan->Sequences + s;
        at -= job->FirstPart;
        int split = at % job->Splits, head = at / job->Splits % rows->Near.Shape.Heads, first = at / job->Splits / rows->Near.Shape.Heads * BlockRows;
        CachedAttentionBlock.Run(plan, rows, job, head, first, Math.Min(BlockRows, rows->Count * plan->Share - first), split);
    }

    // The rows of one head: their tiles in order.
    private static void JoinPart(void* state, int part)
    {
        CachedAttentionPlan* plan = (CachedAttentionPlan*)state;
        int heads = plan->Sequences[0].Near.Shape.Heads, head = part % heads;
        CachedRows* rows = plan->Sequences + part / heads;
        CachedAttentionJob* job = plan->Jobs + part / heads;
        if (job->Splits == 1)
            return;
        float* sums = Scratch.Own(plan->Width);
        for (int r = 0, count = rows->Count * plan->Share; r < count; r++)
        {
            float most = float.MinValue, total = 0;
            new Span<float>(sums, plan->Width).Clear();
            float* partial = job->Partials + ((long)head * count + r) * job->Units * plan->PartialStride;
            for (int unit = 0; unit < job->Units; unit++, partial += plan->PartialStride)
                CachedAttentionBlock.Join(sums, ref most, ref total, partial, partial[plan->Width], partial[plan->Width + 1], plan->Width);
            plan->Save(rows, head, r, sums, total);
        }
    }
}

/// <summary>How scores are made.</summary>
internal readonly record struct CachedAttentionSettings
{
    /// <summary>Factor of every product.</summary>
    public required float Scale { get; init; }

    /// <summary>c of c tanh(score / c); 0 for none.</summary>
    public float SoftCap { get; init; }
}

/// <summary>How one sequence's rows are shared out.</summary>
internal unsafe struct CachedAttentionJob
{
    public float* Partials;
    public int FirstPart, Blocks, Splits, Units, SplitUnits;
}

/// <summary>The tiles that some rows of a sequence see: those of far positions, then those near.</summary>
internal readonly record struct CachedAttentionUnits(int FirstFar, int Far, int FirstNear, int Count)
{
    /// <summary>Whether a unit is a tile of the list of far positions.</summary>
    public bool IsFar(int unit) => unit < Far;

    /// <summary>The tile of a unit.</summary>
    public int TileOf(int unit) => unit < Far ? FirstFar + unit : FirstNear + unit - Far;

    /// <summary>The tiles that rows of a sequence, counted from the first, see.</summary>
    public static CachedAttentionUnits Of(in CachedRows rows, int firstRow, int lastRow)
    {
        (int farStart, int farEnd) = rows.Seen(firstRow, lastRow, far: true);
        (int nearStart, int nearEnd) = rows.Seen(firstRow, lastRow, far: false);
        int firstFar = farStart / KeyValueTiles.Length, far = KeyValueTiles.TilesOf(farEnd) - firstFar, firstNear = nearStart / KeyValueTiles.Length;
        return new CachedAttentionUnits(firstFar, far, firstNear, far + KeyValueTiles.TilesOf(nearEnd) - firstNear);
    }
}

/// <summary>All parts' common knowledge.</summary>
internal unsafe struct CachedAttentionPlan
{
    public CachedRows* Sequences;
    public CachedAttentionJob* Jobs;
    public MatrixView Query, Output;
    public float* Factors, Slopes;
    public CachedAttentionSettings Settings;
    public Isa Isa;
    public int Count, Share, Width, Parts;

    /// <summary>Values of one row and tile between a part and the joining: sums, their greatest score, their total.</summary>
    public readonly int PartialStride => Width + 16;

    /// <summary>Divides a row's sums by their total, into the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Save(CachedRows* rows, int head, int row, float* sums, float total)
    {
        int v = rows->Near.Shape.ValueDim;
        float* target = Output.Data + (rows->Row + row / Share) * Output.RowStride + (head * Share + row % Share) * v;
        System.Numerics.Tensors.TensorPrimitives.Multiply(new ReadOnlySpan<float>(sums, v), 1 / total, new Span<float>(target, v));
    }
}
