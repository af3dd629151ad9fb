// N tokens, K ids kept of each, V vocabulary
namespace Skiff.Tensors;

/// <summary>The likeliest ids of each token with their logits, in half precision's numbers: what a teacher's foretelling is kept as.</summary>
public sealed unsafe class TopLogits
{
    private const int LeastChunk = 16;

    private Tensor? _room;

    /// <summary>Room for N tokens with K ids each.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 id.</exception>
    public TopLogits(int tokens, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        (Tokens, Count) = (tokens, count);
        (Ids, Values) = (new int[checked(tokens * count)], new float[tokens * count]);
    }

    /// <summary>N.</summary>
    public int Tokens { get; }

    /// <summary>K.</summary>
    public int Count { get; }

    /// <summary>[N, K], the likeliest first, of equal ones the lower id.</summary>
    public int[] Ids { get; }

    /// <summary>[N, K], numbers that half precision has.</summary>
    public float[] Values { get; }

    /// <summary>Takes the likeliest ids of logits that are worked out a few tokens at a time.</summary>
    /// <param name="source">N tokens, at least K ids.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    public void Fill(LogitSource source, ThreadTeam? team = null)
    {
        int vocabulary = source.Head.Rows;
        if (source.Hidden.Rows != Tokens || vocabulary < Count)
            throw new ArgumentException($"{source.Hidden.Rows} tokens over {vocabulary} ids, for {Tokens} with {Count}", nameof(source));
        team ??= ThreadTeam.Default;
        int chunk = Math.Clamp((1 << 21) / vocabulary, LeastChunk, Math.Max(LeastChunk, Tokens));
        if (_room is null || _room.Count < (long)chunk * vocabulary)
            _room = Tensor.Allocate(TensorType.F32, chunk, vocabulary);
        fixed (float* bias = source.Bias, values = Values)
        fixed (int* ids = Ids)
        {
            for (int first = 0; first < Tokens; first += chunk)
            {
                int rows = Math.Min(chunk, Tokens - first);
                MatrixView logits = new((float*)_room.Data, rows, vocabulary);
                MatrixProduct.Multiply(source.Hidden.Block(first, rows, 0, source.Hidden.Columns), source.Head.Transposed, logits, team: team);
                Plan plan = new() { Logits = logits, Bias = bias, Scale = source.LogitScale, Cap = source.SoftCap, Count = Count, Ids = ids + ((long)first * Count), Values = values + ((long)first * Count) };
                team.Run(rows, &Take, &plan);
            }
        }
    }

    // Insertion into a short sorted list: all but a few ids are below its end.
    private static void Take(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        float* z = plan->Logits.Data + (row * plan->Logits.RowStride), values = plan->Values + ((long)row * plan->Count);
        int* ids = plan->Ids + ((long)row * plan->Count);
        int filled = 0;
        LogitRow.Bend(z, plan->Logits.Columns, plan->Bias, plan->Scale, plan->Cap);
        for (int v = 0; v < plan->Logits.Columns; v++)
        {
            if (filled == plan->Count && z[v] <= values[filled - 1])
                continue;
            int at = filled < plan->Count ? filled++ : filled - 1;
            for (; at > 0 && values[at - 1] < z[v]; at--)
                (values[at], ids[at]) = (values[at - 1], ids[at - 1]);
            (values[at], ids[at]) = (z[v], v);
        }

        for (int k = 0; k < plan->Count; k++)
            values[k] = (float)(Half)values[k];
    }

    private struct Plan
    {
        public MatrixView Logits;
        public float* Bias, Values;
        public int* Ids;
        public float Scale, Cap;
        public int Count;
    }
}
