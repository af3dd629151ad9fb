// B rows of a batch, T time, W channels, K taps
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The short causal convolution of recurrent blocks (arXiv 2402.19427, section 2.4), each channel for itself:
/// y[t] = bias + sum_k weight[k] x[t - K + 1 + k], where inputs before a document's start count as 0. Sums over rows run in an order
/// that depends on the sizes alone: results are the same for any number of threads.
/// </summary>
public static unsafe class ShortConvolution
{
    private const int PartValues = 1 << 13;

    // Partial sums of the gradients of weights and biases: enough for any machine, few enough to add up at the end.
    private const int MostPartials = 64, LeastPartialRows = 16;

    /// <summary>The convolution of every row of the batch.</summary>
    /// <param name="x">[B T, W].</param>
    /// <param name="weights">[W, K], the oldest input's first.</param>
    /// <param name="bias">[W].</param>
    /// <param name="documentStarts">[B T]: where in its row a token's document begins.</param>
    /// <param name="time">T.</param>
    /// <param name="y">[B T, W], overwritten; not x.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A document start that cannot be.</exception>
    public static void Forward(
        MatrixView x, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, ReadOnlySpan<int> documentStarts, int time, MatrixView y, ThreadTeam? team = null)
    {
        int taps = Check(x, y, y, weights, documentStarts, time);
        if (bias.Length != x.Columns)
            throw new ArgumentException($"{bias.Length} biases for {x.Columns} channels", nameof(bias));
        fixed (float* b = bias)
        fixed (int* starts = documentStarts)
        {
            Plan plan = new() { X = x, Y = y, Bias = b, Starts = starts, Time = time, Taps = taps, Weights = Scratch.Shared(weights.Length) };
            Transpose(weights, taps, plan.Weights);
            plan.PartRows = Math.Max(1, PartValues / Math.Max(1, x.Columns));
            (team ?? ThreadTeam.Default).Run((x.Rows + plan.PartRows - 1) / plan.PartRows, &ForwardPart, &plan);
        }
    }

    /// <summary>
    /// dx[t] = sum_k weight[k] dy[t + K - 1 - k] over the positions of the same document; dWeight[k] += sum_t dy[t] x[t - K + 1 + k];
    /// dBias += sum_t dy[t].
    /// </summary>
    /// <param name="dy">[B T, W].</param>
    /// <param name="x">[B T, W], as given to the forward.</param>
    /// <param name="weights">[W, K].</param>
    /// <param name="documentStarts">As given to the forward.</param>
    /// <param name="time">T.</param>
    /// <param name="dx">[B T, W], overwritten; neither dy nor x.</param>
    /// <param name="dWeights">[W, K], added to; or empty.</param>
    /// <param name="dBias">[W], added to; or empty.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A document start that cannot be.</exception>
    public static void Backward(
        MatrixView dy, MatrixView x, ReadOnlySpan<float> weights, ReadOnlySpan<int> documentStarts, int time,
        MatrixView dx, Span<float> dWeights, Span<float> dBias, ThreadTeam? team = null)
    {
        int taps = Check(x, dy, dx, weights, documentStarts, time), width = x.Columns;
        if ((dWeights.Length != 0 && dWeights.Length != weights.Length) || (dBias.Length != 0 && dBias.Length != width))
            throw new ArgumentException($"gradients of {dWeights.Length} weights and {dBias.Length} biases for {width} channels of {taps} taps", nameof(dWeights));
        fixed (int* starts = documentStarts)
        {
            Plan plan = new() { X = x, Y = dy, Target = dx, Starts = starts, Time = time, Taps = taps };
            plan.PartRows = Math.Max(LeastPartialRows, (x.Rows + MostPartials - 1) / MostPartials);
            int parts = (x.Rows + plan.PartRows - 1) / plan.PartRows;
            // A part's sums: K rows for the weights, one for the bias.
            long partial = (taps + 1L) * width;
            plan.Weights = Scratch.Shared(weights.Length + parts * partial);
            plan.Partials = plan.Weights + weights.Length;
            Transpose(weights, taps, plan.Weights);
            (team ?? ThreadTeam.Default).Run(parts, &BackwardPart, &plan);
            for (int part = 0; part < parts; part++)
            {
                float* sums = plan.Partials + part * partial;
                for (int i = 0; i < dWeights.Length; i++)
                    dWeights[i] += sums[i % taps * width + i / taps];
                for (int i = 0; i < dBias.Length; i++)
                    dBias[i] += sums[taps * width + i];
            }
        }
    }

    private static int Check(MatrixView x, MatrixView y, MatrixView dx, ReadOnlySpan<float> weights, ReadOnlySpan<int> documentStarts, int time)
    {
        int taps = x.Columns == 0 ? 0 : weights.Length / x.Columns;
        if (taps < 1 || weights.Length != (long)taps * x.Columns || y.Rows != x.Rows || y.Columns != x.Columns || dx.Rows != x.Rows || dx.Columns != x.Columns)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}], [{y.Rows}, {y.Columns}] and [{dx.Rows}, {dx.Columns}] with {weights.Length} weights", nameof(weights));
        if (x.Columns > 1 && (x.ColumnStride != 1 || y.ColumnStride != 1 || dx.ColumnStride != 1))
            throw new ArgumentException("the values of a row lie apart", nameof(x));
        DocumentStarts.Check(documentStarts, x.Rows, time);
        return taps;
    }

    // To [K, W], so that neighbouring channels fill vectors.
    private static void Transpose(ReadOnlySpan<float> weights, int taps, float* target)
    {
        int width = weights.Length / taps;
        for (int i = 0; i < weights.Length; i++)
            target[i % taps * width + i / taps] = weights[i];
    }

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int width = plan->X.Columns, taps = plan->Taps;
        for (int n = part * plan->PartRows, end = Math.Min(plan->X.Rows, n + plan->PartRows); n < end; n++)
        {
            float* x = plan->X.Data + n * plan->X.RowStride, y = plan->Y.Data + n * plan->Y.RowStride;
            int back = plan->Back(n);
            // The last vector may hold fewer values.
            for (int i = 0; i < width; i += Vector<float>.Count)
            {
                int rest = width - i;
                Vector<float> sum = VectorFunctions.Load(plan->Bias + i, rest);
                for (int j = back; j >= 0; j--)
                    sum += VectorFunctions.Load(plan->Weights + (taps - 1 - j) * width + i, rest) * VectorFunctions.Load(x - j * plan->X.RowStride + i, rest);
                VectorFunctions.Store(sum, y + i, rest);
            }
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int width = plan->X.Columns, taps = plan->Taps;
        float* sums = plan->Partials + (taps + 1L) * part * width;
        new Span<float>(sums, (taps + 1) * width).Clear();
        for (int n = part * plan->PartRows, end = Math.Min(plan->X.Rows, n + plan->PartRows); n < end; n++)
        {
            float* x = plan->X.Data + n * plan->X.RowStride, dy = plan->Y.Data + n * plan->Y.RowStride, dx = plan->Target.Data + n * plan->Target.RowStride;
            int back = plan->Back(n), ahead = plan->Ahead(n);
            for (int i = 0; i < width; i += Vector<float>.Count)
            {
                int rest = width - i;
                Vector<float> gradient = VectorFunctions.Load(dy + i, rest), sum = Vector<float>.Zero;
                for (int j = 0; j <= ahead; j++)
                    sum += VectorFunctions.Load(plan->Weights + (taps - 1 - j) * width + i, rest) * VectorFunctions.Load(dy + j * plan->Y.RowStride + i, rest);
                VectorFunctions.Store(sum, dx + i, rest);
                for (int j = 0; j <= back; j++)
                    Add(gradient * VectorFunctions.Load(x - j * plan->X.RowStride + i, rest), sums + (taps - 1 - j) * width + i, rest);
                Add(gradient, sums + taps * width + i, rest);
            }
        }
    }

    private static void Add(Vector<float> values, float* target, int rest) => VectorFunctions.Store(VectorFunctions.Load(target, rest) + values, target, rest);

    // The twins; rows have no gaps.
    internal static void Scalar(
        ReadOnlySpan<double> x, ReadOnlySpan<double> weights, ReadOnlySpan<double> bias, ReadOnlySpan<int> documentStarts, int time, Span<double> y)
    {
        int width = bias.Length, taps = weights.Length / width;
        for (int i = 0; i < y.Length; i++)
        {
            (int n, int w) = (i / width, i % width);
            y[i] = bias[w];
            for (int k = 0; k < taps; k++)
            {
                if (n % time - taps + 1 + k >= documentStarts[n])
                    y[i] += weights[w * taps + k] * x[(n - taps + 1 + k) * width + w];
            }
        }
    }

    internal static void ScalarBackward(
        ReadOnlySpan<double> dy, ReadOnlySpan<double> x, ReadOnlySpan<double> weights, ReadOnlySpan<int> documentStarts, int time,
        Span<double> dx, Span<double> dWeights, Span<double> dBias)
    {
        int width = dBias.Length, taps = weights.Length / width;
        dx.Clear();
        for (int i = 0; i < dy.Length; i++)
        {
            (int n, int w) = (i / width, i % width);
            dBias[w] += dy[i];
            for (int k = 0; k < taps; k++)
            {
                if (n % time - taps + 1 + k < documentStarts[n])
                    continue;
                dx[(n - taps + 1 + k) * width + w] += weights[w * taps + k] * dy[i];
                dWeights[w * taps + k] += dy[i] * x[(n - taps + 1 + k) * width + w];
            }
        }
    }

    private struct Plan
    {
        public MatrixView X, Y, Target;
        public float* Weights, Bias, Partials;
        public int* Starts;
        public int Time, Taps, PartRows;

        /// <summary>Earlier inputs that a token's result has.</summary>
        public readonly int Back(int n) => Math.Min(Taps - 1, n % Time - Starts[n]);

        /// <summary>Later tokens whose results have this one's input.</summary>
        public readonly int Ahead(int n)
        {
            int ahead = 0;
            for (int most = Math.Min(Taps - 1, Time - 1 - n % Time); ahead < most && Starts[n + ahead + 1] == Starts[n];)
                ahead++;
            return ahead;
        }
    }
}
