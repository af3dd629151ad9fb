// N rows at positions P to P + N - 1, T positions, H heads, G key-value heads, K head size
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// What attention a position gets: the probabilities that queries give it, summed over rows and over the query heads of a key-value head. It
/// is the score by which H2O (Zhang et al., arXiv 2306.14048) and SnapKV (Li et al., arXiv 2404.14469) choose what a cache keeps.
/// Attention is full: what rows are said to see is not looked at. Each row's share is added by itself, in the order of rows and heads, so the sums
/// have the same bits for any pieces of a prompt and any number of threads.
/// </summary>
internal static unsafe class AttentionMass
{
    // Queries that share each tile of keys while it is near. Even: they go through a tile by twos.
    private const int BlockQueries = 16;

    /// <summary>Adds the attention that rows give to the positions up to their own.</summary>
    /// <param name="rows">A sequence's rows, which are all of <paramref name="query"/>, and its cache in single precision, with their keys written.</param>
    /// <param name="query">[N, H K], rotated; rows may be apart.</param>
    /// <param name="factors">[N], each row's own factor on the scale, or null for 1.</param>
    /// <param name="settings">Scale and cap. Linear biases are not known here.</param>
    /// <param name="firstCounted">Rows at positions before this one add nothing.</param>
    /// <param name="mass">[G, P + N or more], added to; rows may be apart.</param>
    /// <param name="team">Threads to share the key-value heads; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other, values of a row lie apart, or the cache holds whole numbers.</exception>
    public static void Add(
        in CachedRows rows, MatrixView query, float* factors, CachedAttentionSettings settings, int firstCounted, MatrixView mass, ThreadTeam? team = null)
    {
        KeyValueShape shape = rows.Near.Shape;
        int heads = query.Columns / shape.HeadDim;
        if (query.Columns % shape.HeadDim != 0 || heads == 0 || heads % shape.Heads != 0 || query.Rows != rows.Count || query.ColumnStride != 1
            || mass.Rows != shape.Heads || mass.Columns < (long)rows.Position + rows.Count || mass.ColumnStride != 1 || shape.IsScaled)
            throw new ArgumentException($"[{query.Rows}, {query.Columns}] over {shape} at {rows.Position} to [{mass.Rows}, {mass.Columns}], or values of a row apart", nameof(query));
        Plan plan = new()
        {
            Rows = rows,
            Query = query,
            Factors = factors,
            Settings = settings,
            Skipped = Math.Clamp(firstCounted - rows.Position, 0, rows.Count),
            Mass = mass,
            Share = heads / shape.Heads,
        };
        (team ?? ThreadTeam.Default).Run(shape.Heads, &Head, &plan);
    }

    private static void Head(void* state, int head)
    {
        Plan* plan = (Plan*)state;
        int width = KeyValueTiles.TilesOf(plan->Rows.Position + plan->Rows.Count) * KeyValueTiles.Length;
        float* scores = Scratch.Own((long)BlockQueries * width);
        long first = (long)plan->Skipped * plan->Share, end = (long)plan->Rows.Count * plan->Share;
        for (; first < end; first += BlockQueries)
        {
            int count = (int)Math.Min(BlockQueries, end - first);
            // Tiles up to the last row's: what they hold behind an earlier row's own position is not read.
            int tiles = KeyValueTiles.TilesOf(plan->PositionOf(first + count - 1) + 1);
            for (int tile = 0; tile < tiles; tile++)
            {
                float* keys = (float*)plan->Rows.Near[tile].Key(head), target = scores + (long)tile * KeyValueTiles.Length;
                for (int a = 0; a < count; a += 2)
                {
                    int b = Math.Min(a + 1, count - 1);
                    Products(plan->QueryOf(first + a, head), plan->QueryOf(first + b, head), keys, plan->Rows.Near.Shape.HeadDim, target + (long)a * width, target + (long)b * width);
                }
            }

            for (int i = 0; i < count; i++)
                AddProbabilities(plan, first + i, head, scores + (long)i * width);
        }
    }

    private static void AddProbabilities(Plan* plan, long query, int head, float* scores)
    {
        int row = (int)(query / plan->Share), seen = plan->PositionOf(query) + 1;
        float scale = plan->Settings.Scale * (plan->Factors is null ? 1 : plan->Factors[row]);
        AttentionScores.Transform(scores, 0, seen, scale, plan->Settings.SoftCap, 0, null, 0, scores);
        float most = AttentionScores.Max(scores, 0, seen, AttentionScores.Log2E, float.MinValue);
        float total = AttentionScores.Powers(scores, 0, seen, AttentionScores.Log2E, most, 0, seen);
        Span<float> mass = new(plan->Mass.Data + head * plan->Mass.RowStride, seen);
        TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(scores, seen), 1 / total, mass, mass);
    }

    // 64 products of each of two queries: sums over K without a step across a vector.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Products(float* a, float* b, float* keys, int k, float* toA, float* toB)
    {
        int step = Vector<float>.Count;
        for (int lane = 0; lane < KeyValueTiles.Length; lane += 4 * step)
        {
            Vector<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
            for (int i = 0; i < k; i++)
            {
                float* key = keys + i * KeyValueTiles.Length + lane;
                Vector<float> k0 = Vector.Load(key), k1 = Vector.Load(key + step), k2 = Vector.Load(key + 2 * step), k3 = Vector.Load(key + 3 * step);
                Vector<float> valueA = new(a[i]), valueB = new(b[i]);
                a0 = Vector.MultiplyAddEstimate(k0, valueA, a0);
                a1 = Vector.MultiplyAddEstimate(k1, valueA, a1);
                a2 = Vector.MultiplyAddEstimate(k2, valueA, a2);
                a3 = Vector.MultiplyAddEstimate(k3, valueA, a3);
                b0 = Vector.MultiplyAddEstimate(k0, valueB, b0);
                b1 = Vector.MultiplyAddEstimate(k1, valueB, b1);
                b2 = Vector.MultiplyAddEstimate(k2, valueB, b2);
                b3 = Vector.MultiplyAddEstimate(k3, valueB, b3);
            }

            a0.Store(toA + lane);
            a1.Store(toA + lane + step);
            a2.Store(toA + lane + 2 * step);
            a3.Store(toA + lane + 3 * step);
            b0.Store(toB + lane);
            b1.Store(toB + lane + step);
            b2.Store(toB + lane + 2 * step);
            b3.Store(toB + lane + 3 * step);
        }
    }

    private struct Plan
    {
        public CachedRows Rows;
        public MatrixView Query, Mass;
        public float* Factors;
        public CachedAttentionSettings Settings;
        public int Skipped, Share;

        // A query is a row and one of the heads that share a key-value head.
        public readonly int PositionOf(long query) => Rows.Position + (int)(query / Share);

        public readonly float* QueryOf(long query, int head) =>
            Query.Data + query / Share * Query.RowStride + (head * Share + query % Share) * Rows.Near.Shape.HeadDim;
    }
}
