namespace Skiff.Tensors;

/// <summary>
/// Softmax attention over what each position sees, and its gradients. Scores exist for one tile of queries and keys at a time
/// (Milakov and Gimelshein, arXiv 1805.02867; Dao, "FlashAttention-2", arXiv 2307.08691); tiles that a
/// <see cref="Visibility"/> hides are neither computed nor read.
/// </summary>
public static unsafe class Attention
{
    // B batch, T time, H heads, G key-value heads (H a multiple of G), K head size, V value head size

    /// <summary>
    /// o[i] = sum_j p[i,j] v[j], p = softmax over the j that i sees of cap(scale q[i] k[j]) + slope (j - i). Results are the same for
    /// any number of threads.
    /// </summary>
    /// <param name="query">[B, T, H, K].</param>
    /// <param name="key">[B, T, G, K]; head h reads key-value head h G / H.</param>
    /// <param name="value">[B, T, G, V].</param>
    /// <param name="output">[B, T, H, V], overwritten.</param>
    /// <param name="logSumExp">[B, H, T], overwritten: log of the sum of exponentials of the scores, for the gradients.</param>
    /// <param name="settings">Scale and cap.</param>
    /// <param name="visibility">What is seen: one for every row of the batch, or one for all.</param>
    /// <param name="slopes">[H] slopes of the linear position bias (ALiBi, arXiv 2108.12409), or empty.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not match.</exception>
    public static void Forward(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, Span<float> logSumExp, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, ReadOnlySpan<float> slopes = default, ThreadTeam? team = null)
        => Forward(query, key, value, output, logSumExp, settings, visibility, slopes, team ?? ThreadTeam.Default, IsaChoice.Current);

    internal static void Forward(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, Span<float> logSumExp, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, ReadOnlySpan<float> slopes, ThreadTeam team, Isa isa)
    {
        Check(query, key, value, output, logSumExp.Length, settings, visibility, slopes);
        if (query.Batch == 0 || query.Time == 0)
            return;
        fixed (float* sums = logSumExp, slope = slopes)
        {
            AttentionPlan plan = Plan(query, key, value, output, sums, settings, visibility, slope, isa);
            // With few heads, rows are dealt out too; every part then packs the keys anew.
            plan.Threads = team.Threads;
            int heads = query.Batch * key.Heads, tiles = (query.Time + AttentionTiles.Rows - 1) / AttentionTiles.Rows;
            plan.Shares = team.Threads == 1 ? 1 : Math.Clamp((2 * team.Threads + heads - 1) / heads, 1, tiles);
            team.Run(heads * plan.Shares, &AttentionForward.Part, &plan);
        }

        Keep(visibility);
    }

    /// <summary>
    /// Gradients by recomputation of p from <paramref name="logSumExp"/>. With dp[i,j] = do[i] v[j] and ds = p (dp - do[i] o[i]):
    /// dv[j] = sum_i p do[i]; dq[i] = scale sum_j ds cap' k[j]; dk[j] = scale sum_i ds cap' q[i]. Work is shared by row of the batch
    /// and key-value head, so results are the same for any number of threads.
    /// </summary>
    /// <param name="query">As in the forward pass, like the next five.</param>
    /// <param name="key">[B, T, G, K].</param>
    /// <param name="value">[B, T, G, V].</param>
    /// <param name="output">[B, T, H, V], the result of the forward pass.</param>
    /// <param name="logSumExp">[B, H, T], the result of the forward pass.</param>
    /// <param name="outputGradient">do, [B, T, H, V].</param>
    /// <param name="queryGradient">dq, [B, T, H, K], overwritten.</param>
    /// <param name="keyGradient">dk, [B, T, G, K], overwritten.</param>
    /// <param name="valueGradient">dv, [B, T, G, V], overwritten.</param>
    /// <param name="settings">As in the forward pass.</param>
    /// <param name="visibility">As in the forward pass.</param>
    /// <param name="slopes">As in the forward pass.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not match.</exception>
    public static void Backward(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, ReadOnlySpan<float> logSumExp, HeadsView outputGradient,
        HeadsView queryGradient, HeadsView keyGradient, HeadsView valueGradient, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, ReadOnlySpan<float> slopes = default, ThreadTeam? team = null)
        => Backward(query, key, value, output, logSumExp, outputGradient, queryGradient, keyGradient, valueGradient, settings, visibility, slopes,
            team ?? ThreadTeam.Default, IsaChoice.Current);

    internal static void Backward(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, ReadOnlySpan<float> logSumExp, HeadsView outputGradient,
        HeadsView queryGradient, HeadsView keyGradient, HeadsView valueGradient, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, ReadOnlySpan<float> slopes, ThreadTeam team, Isa isa)
    {
        Check(query, key, value, output, logSumExp.Length, settings, visibility, slopes);
        Same(output, outputGradient, nameof(outputGradient));
        Same(query, queryGradient, nameof(queryGradient));
        Same(key, keyGradient, nameof(keyGradient));
        Same(value, valueGradient, nameof(valueGradient));
        if (query.Batch == 0 || query.Time == 0)
            return;
        fixed (float* sums = logSumExp, slope = slopes)
        {
            AttentionPlan plan = Plan(query, key, value, output, sums, settings, visibility, slope, isa);
            plan.Threads = team.Threads;
            (plan.OutputGradient, plan.QueryGradient) = (outputGradient, queryGradient);
            (plan.KeyGradient, plan.ValueGradient) = (keyGradient, valueGradient);
            team.Run(query.Batch * key.Heads, &AttentionBackward.Part, &plan);
        }

        Keep(visibility);
    }

    private static AttentionPlan Plan(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, float* logSumExp, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, float* slopes, Isa isa)
    {
        VisibleIntervals* intervals = (VisibleIntervals*)Scratch.Shared((long)visibility.Length * sizeof(VisibleIntervals) / sizeof(float) + 1);
        for (int b = 0; b < visibility.Length; b++)
            intervals[b] = visibility[b].Intervals;
        return new AttentionPlan
        {
            Query = query,
            Key = key,
            Value = value,
            Output = output,
            LogSumExp = logSumExp,
            Slopes = slopes,
            Scale = settings.Scale,
            SoftCap = settings.SoftCap,
            Intervals = intervals,
            OneForAll = visibility.Length == 1,
            Isa = isa,
        };
    }

    private static void Check(
        HeadsView query, HeadsView key, HeadsView value, HeadsView output, int sums, AttentionSettings settings,
        ReadOnlySpan<Visibility> visibility, ReadOnlySpan<float> slopes)
    {
        if (query.Heads % key.Heads != 0)
            throw new ArgumentException($"{query.Heads} heads cannot share {key.Heads} key-value heads", nameof(key));
        if (!key.HasShape(query.Batch, query.Time, key.Heads, query.HeadDim))
            throw new ArgumentException($"keys {key} do not match queries {query}", nameof(key));
        if (!value.HasShape(query.Batch, query.Time, key.Heads, value.HeadDim))
            throw new ArgumentException($"values {value} do not match keys {key}", nameof(value));
        if (!output.HasShape(query.Batch, query.Time, query.Heads, value.HeadDim))
            throw new ArgumentException($"results {output} do not match queries {query} and values {value}", nameof(output));
        if (sums != (long)query.Batch * query.Heads * query.Time)
            throw new ArgumentException($"{sums} sums for queries {query}", nameof(sums));
        if (settings.SoftCap < 0 || !float.IsFinite(settings.SoftCap) || !float.IsFinite(settings.Scale))
            throw new ArgumentException($"scale {settings.Scale} or cap {settings.SoftCap} is no usable number", nameof(settings));
        if (visibility.Length != 1 && visibility.Length != query.Batch)
            throw new ArgumentException($"{visibility.Length} descriptions of what is seen for a batch of {query.Batch}", nameof(visibility));
        foreach (Visibility row in visibility)
        {
            if (row.Time != query.Time)
                throw new ArgumentException($"{row.Time} positions are described, queries have {query.Time}", nameof(visibility));
        }

        if (slopes.Length != 0 && slopes.Length != query.Heads)
            throw new ArgumentException($"{slopes.Length} slopes for {query.Heads} heads", nameof(slopes));
    }

    private static void Same(HeadsView of, HeadsView gradient, string name)
    {
        if (!gradient.HasShape(of.Batch, of.Time, of.Heads, of.HeadDim))
            throw new ArgumentException($"a gradient {gradient} of {of}", name);
    }

    // The intervals lie in memory that each description frees when nobody reaches it any more.
    private static void Keep(ReadOnlySpan<Visibility> visibility)
    {
        foreach (Visibility row in visibility)
            GC.KeepAlive(row);
    }
}

/// <summary>What all parts of one call share.</summary>
internal unsafe struct AttentionPlan
{
    public HeadsView Query, Key, Value, Output, OutputGradient, QueryGradient, KeyGradient, ValueGradient;
    public float* LogSumExp, Slopes;
    public float Scale, SoftCap;
    public VisibleIntervals* Intervals;
    public bool OneForAll;
    public int Shares, Threads;
    public Isa Isa;
}
