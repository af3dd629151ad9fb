// B rows of a batch, T time, W channels
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// Griffin's real-gated linear recurrent unit (RG-LRU; De et al., arXiv 2402.19427, equations 1 to 4) of gates that stand before their
/// sigmoid: h[t] = a h[t-1] + sqrt(1 - a^2) sigmoid(i) x, a = exp(-8 softplus(decay) sigmoid(r)); a document's first position has
/// h = sigmoid(i) x. Each channel goes through time by itself: results are the same for any number of threads.
/// </summary>
public static unsafe class LinearRecurrence
{
    // The constant c of equation 4.
    internal const float Sharpness = 8;

    // Channels of one part: whole cache lines, so that no two threads write the same one.
    private const int PartColumns = 64;

    /// <summary>h of every position.</summary>
    /// <param name="x">[B T, W].</param>
    /// <param name="inputGate">i, [B T, W].</param>
    /// <param name="recurrenceGate">r, [B T, W].</param>
    /// <param name="decay">[W].</param>
    /// <param name="documentStarts">[B T]: where in its row a token's document begins.</param>
    /// <param name="time">T.</param>
    /// <param name="h">[B T, W], overwritten; may be x where no backward follows.</param>
    /// <param name="team">Threads to share the channels; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A document start that cannot be.</exception>
    public static void Forward(
        MatrixView x, MatrixView inputGate, MatrixView recurrenceGate, ReadOnlySpan<float> decay, ReadOnlySpan<int> documentStarts, int time,
        MatrixView h, ThreadTeam? team = null) =>
        Run(
            new Plan { X = x, Input = inputGate, Recurrence = recurrenceGate, H = h, DH = h, DX = h, DInput = h, DRecurrence = h, Time = time },
            decay, documentStarts, &ForwardPart, [], team);

    /// <summary>
    /// Through time from the end: g[t] = dh[t] + a[t+1] g[t+1] reaches a by h[t-1] and by sqrt(1 - a^2), whose slope times log a stays
    /// finite however near a is to 1. Targets may be the memory of x, of the gates or of dh: each value is read before it is written.
    /// </summary>
    /// <param name="dh">[B T, W].</param>
    /// <param name="x">[B T, W], as given to the forward.</param>
    /// <param name="inputGate">i, [B T, W].</param>
    /// <param name="recurrenceGate">r, [B T, W].</param>
    /// <param name="decay">[W].</param>
    /// <param name="documentStarts">As given to the forward.</param>
    /// <param name="time">T.</param>
    /// <param name="h">[B T, W], from the forward.</param>
    /// <param name="dx">[B T, W], overwritten.</param>
    /// <param name="dInputGate">[B T, W], overwritten.</param>
    /// <param name="dRecurrenceGate">[B T, W], overwritten.</param>
    /// <param name="dDecay">[W], added to; or empty.</param>
    /// <param name="team">Threads to share the channels; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A document start that cannot be.</exception>
    public static void Backward(
        MatrixView dh, MatrixView x, MatrixView inputGate, MatrixView recurrenceGate, ReadOnlySpan<float> decay, ReadOnlySpan<int> documentStarts, int time,
        MatrixView h, MatrixView dx, MatrixView dInputGate, MatrixView dRecurrenceGate, Span<float> dDecay, ThreadTeam? team = null) =>
        Run(
            new Plan { X = x, Input = inputGate, Recurrence = recurrenceGate, H = h, DH = dh, DX = dx, DInput = dInputGate, DRecurrence = dRecurrenceGate, Time = time },
            decay, documentStarts, &BackwardPart, dDecay, team);

    private static void Run(Plan plan, ReadOnlySpan<float> decay, ReadOnlySpan<int> documentStarts, delegate*<void*, int, void> work, Span<float> dDecay, ThreadTeam? team)
    {
        int width = decay.Length;
        Check(plan.X, plan.X, width);
        Check(plan.Input, plan.X, width);
        Check(plan.Recurrence, plan.X, width);
        Check(plan.H, plan.X, width);
        Check(plan.DH, plan.X, width);
        Check(plan.DX, plan.X, width);
        Check(plan.DInput, plan.X, width);
        Check(plan.DRecurrence, plan.X, width);
        if (dDecay.Length != 0 && dDecay.Length != width)
            throw new ArgumentException($"a gradient of {dDecay.Length} decays for {width}", nameof(dDecay));
        DocumentStarts.Check(documentStarts, plan.X.Rows, plan.Time);
        int batch = plan.X.Rows / plan.Time;
        plan.Stripes = (width + PartColumns - 1) / PartColumns;
        plan.Width = width;
        plan.Rates = Scratch.Shared((batch + 1L) * width);
        plan.Sums = plan.Rates + width;
        for (int w = 0; w < width; w++)
            plan.Rates[w] = (float)(Sharpness * Elementwise.Softplus(decay[w]));
        fixed (int* starts = documentStarts)
        {
            plan.Starts = starts;
            (team ?? ThreadTeam.Default).Run(batch * plan.Stripes, work, &plan);
        }

        for (int w = 0; w < dDecay.Length; w++)
        {
            // The parts summed the gradient of log a times log a, which is proportional to the softplus.
            double sum = 0, softplus = Elementwise.Softplus(decay[w]);
            for (int b = 0; b < batch; b++)
                sum += plan.Sums[(long)b * width + w];
            dDecay[w] += softplus > 0 ? (float)(sum * Elementwise.Sigmoid(decay[w]) / softplus) : 0;
        }
    }

    private static void Check(MatrixView matrix, MatrixView x, int width)
    {
        if (matrix.Rows != x.Rows || matrix.Columns != width || (matrix.ColumnStride != 1 && width > 1))
            throw new ArgumentException($"[{matrix.Rows}, {matrix.Columns}] beside [{x.Rows}, {x.Columns}] and {width} decays, or values of a row apart", nameof(matrix));
    }

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int column = part % plan->Stripes * PartColumns, columns = Math.Min(PartColumns, plan->Width - column);
        float* kept = stackalloc float[PartColumns];
        for (int t = 0, n = part / plan->Stripes * plan->Time; t < plan->Time; t++, n++)
        {
            bool first = plan->Starts[n] == t;
            // The last vector may hold fewer values.
            for (int i = 0; i < columns; i += Vector<float>.Count)
            {
                int rest = columns - i;
                Vector<float> h = VectorFunctions.Sigmoid(Load(plan->Input, n, column + i, rest)) * Load(plan->X, n, column + i, rest);
                if (!first)
                {
                    Vector<float> sigmoid = VectorFunctions.Sigmoid(Load(plan->Recurrence, n, column + i, rest));
                    Vector<float> a = Decay(VectorFunctions.Load(plan->Rates + column + i, rest) * sigmoid, out Vector<float> complement);
                    h = a * Vector.Load(kept + i) + complement * h;
                }

                h.Store(kept + i);
                Store(h, plan->H, n, column + i, rest);
            }
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int batch = part / plan->Stripes, column = part % plan->Stripes * PartColumns, columns = Math.Min(PartColumns, plan->Width - column);
        // a[t+1] g[t+1], and the sums over time for the decay.
        float* carried = stackalloc float[PartColumns], sums = stackalloc float[PartColumns];
        new Span<float>(carried, PartColumns).Clear();
        new Span<float>(sums, PartColumns).Clear();
        for (int t = plan->Time - 1, n = batch * plan->Time + t; t >= 0; t--, n--)
        {
            bool first = plan->Starts[n] == t;
            for (int i = 0; i < columns; i += Vector<float>.Count)
            {
                int rest = columns - i;
                Vector<float> g = Load(plan->DH, n, column + i, rest) + Vector.Load(carried + i), x = Load(plan->X, n, column + i, rest);
                Vector<float> input = VectorFunctions.Sigmoid(Load(plan->Input, n, column + i, rest)), gated = input * x;
                Vector<float> change = Vector<float>.Zero, next = Vector<float>.Zero, dGated = g;
                if (!first)
                {
                    Vector<float> sigmoid = VectorFunctions.Sigmoid(Load(plan->Recurrence, n, column + i, rest));
                    Vector<float> rate = VectorFunctions.Load(plan->Rates + column + i, rest) * sigmoid;
                    Vector<float> a = Decay(rate, out Vector<float> complement);
                    // log a / sqrt(1 - a^2) goes to 0 with its parts.
                    Vector<float> quotient = Vector.ConditionalSelect(Vector.GreaterThan(complement, Vector<float>.Zero), rate / complement, Vector<float>.Zero);
                    Vector<float> byLog = g * (a * a * quotient * gated - a * rate * Load(plan->H, n - 1, column + i, rest));
                    (Vector.Load(sums + i) + byLog).Store(sums + i);
                    change = byLog * (Vector<float>.One - sigmoid);
                    dGated = g * complement;
                    next = a * g;
                }

                next.Store(carried + i);
                Store(dGated * input, plan->DX, n, column + i, rest);
                Store(dGated * gated * (Vector<float>.One - input), plan->DInput, n, column + i, rest);
                Store(change, plan->DRecurrence, n, column + i, rest);
            }
        }

        new ReadOnlySpan<float>(sums, columns).CopyTo(new Span<float>(plan->Sums + (long)batch * plan->Width + column, columns));
    }

    // a = e^-rate and sqrt(1 - a^2) = sqrt(2 t / (1 + t)), t = tanh(rate): the difference itself loses its digits where a is near 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector<float> Decay(Vector<float> rate, out Vector<float> complement)
    {
        Vector<float> tanh = VectorFunctions.Tanh(rate);
        complement = Vector.SquareRoot((tanh + tanh) / (Vector<float>.One + tanh));
        return VectorFunctions.Exp(-rate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Load(in MatrixView matrix, int row, int column, int rest) => VectorFunctions.Load(matrix.Data + row * matrix.RowStride + column, rest);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector<float> values, in MatrixView matrix, int row, int column, int rest) =>
        VectorFunctions.Store(values, matrix.Data + row * matrix.RowStride + column, rest);

    private struct Plan
    {
        public MatrixView X, Input, Recurrence, H, DH, DX, DInput, DRecurrence;
        public float* Rates, Sums;
        public int* Starts;
        public int Time, Width, Stripes;
    }
}
