// N tokens, D model, V vocabulary, C tokens in a chunk
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// The loss of a language model's head without ever holding all logits: z = scale hidden head^T + bias, s = cap tanh(z / cap),
/// loss = -log softmax(s)[target], done for C tokens at a time together with the gradients (arXiv 2411.09009 gives the idea).
/// </summary>
public static unsafe class LinearCrossEntropy
{
    // Logits of a chunk: 8 MiB, but never so few tokens that products over them become narrow.
    private const int ChunkLogits = 1 << 21, LeastChunk = 64;

    /// <summary>Room for the chunk that suits a number of tokens, in values: C (V + 1).</summary>
    public static long ScratchLength(int tokens, int vocabulary) =>
        Math.Min(Math.Max(tokens, 1), Math.Max(LeastChunk, ChunkLogits / Math.Max(1, vocabulary))) * (vocabulary + 1L);

    /// <summary>
    /// The summed loss of the tokens that have a target, and with <paramref name="dHidden"/> the gradients of that sum times
    /// <paramref name="gradientScale"/> (1 / <see cref="CountTargets"/> for the mean). Results depend on the length of the scratch
    /// memory, which sets C, and not on the number of threads.
    /// </summary>
    /// <param name="hidden">[N, D].</param>
    /// <param name="head">[V, D].</param>
    /// <param name="targets">[N], from 0 to V - 1, or -1: no loss, no gradient.</param>
    /// <param name="logitScale">Factor on the products; not 0 with a dHeadBias.</param>
    /// <param name="softCap">Cap of the logits, or 0 for none.</param>
    /// <param name="gradientScale">Factor on every gradient.</param>
    /// <param name="dHidden">[N, D] overwritten, or null: the loss alone.</param>
    /// <param name="dHead">[V, D] added to, or null: a frozen head.</param>
    /// <param name="logProbabilities">[N] overwritten, 0 without a target; or empty.</param>
    /// <param name="scratch">At least V + 1 values; <see cref="ScratchLength"/> says how many suit.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <param name="headBias">[V] added to the scaled products, or empty.</param>
    /// <param name="dHeadBias">[V] added to, or empty: no bias or a frozen one.</param>
    /// <exception cref="ArgumentException">Sizes differ, or too little scratch memory.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A target outside the vocabulary, a negative cap, or a scale of 0 with a dHeadBias.</exception>
    public static double Compute(
        MatrixView hidden, MatrixView head, ReadOnlySpan<int> targets, float logitScale, float softCap, float gradientScale,
        MatrixView? dHidden, MatrixView? dHead, Span<float> logProbabilities, Span<float> scratch, ThreadTeam? team = null,
        ReadOnlySpan<float> headBias = default, Span<float> dHeadBias = default)
    {
        int tokens = hidden.Rows, width = hidden.Columns, vocabulary = head.Rows, chunk = (int)Math.Min(tokens, scratch.Length / (vocabulary + 1L));
        if (head.Columns != width || targets.Length != tokens || (logProbabilities.Length != 0 && logProbabilities.Length != tokens))
            throw new ArgumentException($"hidden [{tokens}, {width}], head [{vocabulary}, {head.Columns}], {targets.Length} targets, {logProbabilities.Length} log-probabilities", nameof(head));
        if ((dHidden is { } a && (a.Rows != tokens || a.Columns != width)) || (dHead is { } b && (b.Rows != vocabulary || b.Columns != width)))
            throw new ArgumentException("a gradient has another size than its factor", nameof(dHidden));
        if ((headBias.Length != 0 && headBias.Length != vocabulary) || (dHeadBias.Length != 0 && dHeadBias.Length != headBias.Length))
            throw new ArgumentException($"{headBias.Length} biases and {dHeadBias.Length} gradients for a vocabulary of {vocabulary}", nameof(headBias));
        if (chunk == 0 && tokens > 0)
            throw new ArgumentException($"{scratch.Length} values of scratch memory for rows of {vocabulary} + 1", nameof(scratch));
        ArgumentOutOfRangeException.ThrowIfNegative(softCap);
        if (dHeadBias.Length > 0)
            ArgumentOutOfRangeException.ThrowIfZero(logitScale);
        foreach (int target in targets)
        {
            if (target < -1 || target >= vocabulary)
                throw new ArgumentOutOfRangeException(nameof(targets), $"target {target} is outside the vocabulary of {vocabulary}");
        }

        team ??= ThreadTeam.Default;
        double loss = 0;
        fixed (int* ids = targets)
        fixed (float* room = scratch, bias = headBias)
        {
            for (int first = 0; first < tokens; first += chunk)
            {
                int rows = Math.Min(chunk, tokens - first);
                MatrixView logits = new(room + chunk, rows, vocabulary), part = hidden.Block(first, rows, 0, width);
                MatrixProduct.Multiply(part, head.Transposed, logits, team: team);
                Plan plan = new()
                {
                    Logits = logits,
                    Bias = bias,
                    LogProbabilities = room,
                    Targets = ids + first,
                    LogitScale = logitScale,
                    Cap = softCap,
                    GradientScale = gradientScale,
                    Gradients = dHidden is not null || dHead is not null || dHeadBias.Length > 0,
                };
                team.Run(rows, &Row, &plan);
                for (int r = 0; r < rows; r++)
                    loss -= room[r];
                if (logProbabilities.Length > 0)
                    new ReadOnlySpan<float>(room, rows).CopyTo(logProbabilities[first..]);
                if (dHidden is { } dh)
                    MatrixProduct.Multiply(logits, head, dh.Block(first, rows, 0, width), team: team);
                if (dHead is { } dw)
                    MatrixProduct.Multiply(logits.Transposed, part, dw, accumulate: true, team: team);
                // The gradients hold the factor of the products, which the bias lacks.
                if (dHeadBias.Length > 0)
                    Bias.Backward(logits, 1 / logitScale, dHeadBias, team);
            }
        }

        return loss;
    }

    /// <summary>Tokens that have a target.</summary>
    public static int CountTargets(ReadOnlySpan<int> targets) => targets.Length - targets.Count(-1);

    // One token: its logits become their gradients.
    private static void Row(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        float* z = plan->Logits.Data + row * plan->Logits.RowStride;
        int count = plan->Logits.Columns, target = plan->Targets[row];
        if (target < 0)
        {
            plan->LogProbabilities[row] = 0;
            new Span<float>(z, count).Clear();
            return;
        }

        float most = LogitRow.Bend(z, count, plan->Bias, plan->LogitScale, plan->Cap);
        double logSum = most + Math.Log(LogitRow.ExpSum(z, most, count));
        plan->LogProbabilities[row] = (float)(z[target] - logSum);
        if (!plan->Gradients)
            return;
        float correct = z[target], factor = plan->GradientScale * plan->LogitScale, cap = plan->Cap, slope = cap > 0 ? 1 - correct / cap * (correct / cap) : 1;
        // The softmax's shift in single precision, like the logits.
        Vector<float> shift = new((float)logSum), scale = new(factor), inverse = new(cap > 0 ? 1 / cap : 0);
        int i = 0;
        for (bool wide = IsaChoice.Current == Isa.Avx512; wide && i <= count - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> s = Vector512.Load(z + i), bent = s * Vector512.Create(inverse[0]);
            (VectorFunctions.Exp(s - Vector512.Create(shift[0])) * Vector512.Create(factor) * (Vector512<float>.One - bent * bent)).Store(z + i);
        }

        for (; i < count; i += Vector<float>.Count)
        {
            int rest = count - i;
            Vector<float> s = VectorFunctions.Load(z + i, rest), bent = s * inverse;
            Vector<float> gradient = VectorFunctions.Exp(s - shift) * scale * (Vector<float>.One - bent * bent);
            VectorFunctions.Store(gradient, z + i, rest);
        }

        z[target] -= factor * slope;
    }

    // The twin, with all logits of one token at a time.
    internal static double Scalar(
        ReadOnlySpan<double> hidden, ReadOnlySpan<double> head, ReadOnlySpan<int> targets, double logitScale, double softCap, double gradientScale,
        Span<double> dHidden, Span<double> dHead, ReadOnlySpan<double> headBias = default, Span<double> dHeadBias = default)
    {
        int width = hidden.Length / targets.Length, vocabulary = head.Length / width;
        double loss = 0;
        double[] s = new double[vocabulary], p = new double[vocabulary];
        dHidden.Clear();
        for (int n = 0; n < targets.Length; n++)
        {
            if (targets[n] < 0)
                continue;
            for (int v = 0; v < vocabulary; v++)
            {
                s[v] = 0;
                for (int i = 0; i < width; i++)
                    s[v] += logitScale * hidden[n * width + i] * head[v * width + i];
                s[v] += headBias.Length > 0 ? headBias[v] : 0;
                p[v] = s[v] = softCap > 0 ? Elementwise.SoftCap(s[v], softCap) : s[v];
            }

            Elementwise.Softmax(p);
            loss -= Math.Log(p[targets[n]]);
            for (int v = 0; v < vocabulary && dHidden.Length > 0; v++)
            {
                double g = gradientScale * (p[v] - (v == targets[n] ? 1 : 0)) * (softCap > 0 ? 1 - s[v] / softCap * s[v] / softCap : 1);
                if (dHeadBias.Length > 0)
                    dHeadBias[v] += g;
                for (int i = 0; i < width; i++)
                {
                    dHidden[n * width + i] += g * logitScale * head[v * width + i];
                    dHead[v * width + i] += g * logitScale * hidden[n * width + i];
                }
            }
        }

        return loss;
    }

    private struct Plan
    {
        public MatrixView Logits;
        public float* Bias, LogProbabilities;
        public int* Targets;
        public float LogitScale, Cap, GradientScale;
        public bool Gradients;
    }
}
