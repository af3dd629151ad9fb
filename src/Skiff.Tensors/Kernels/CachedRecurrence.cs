// N rows of a pass, W channels, S channels of a gate block, K taps
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// What lies between the projections of Griffin's recurrent block (arXiv 2402.19427, section 2.4), for new positions of several
/// sequences: <see cref="ShortConvolution"/>, both gates as <see cref="BlockDiagonal"/>, <see cref="LinearRecurrence"/>. A part is one gate
/// block of one sequence. A row's result has the same bits whatever rows are beside it and for any number of threads.
/// </summary>
internal static unsafe class CachedRecurrence
{
    /// <summary>h of each row; the states move on.</summary>
    /// <param name="sequences">Whose the rows are, and their states.</param>
    /// <param name="count">How many sequences.</param>
    /// <param name="x">[N, W].</param>
    /// <param name="weights">The block's numbers.</param>
    /// <param name="h">[N, W], overwritten; not x.</param>
    /// <param name="team">Threads to share the channels; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    public static void Forward(RecurrentRows* sequences, int count, MatrixView x, in RecurrentWeights weights, MatrixView h, ThreadTeam? team = null)
    {
        if (x.Columns != weights.Width || h.Columns != weights.Width || h.Rows != x.Rows || x.ColumnStride != 1 || h.ColumnStride != 1)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}] and [{h.Rows}, {h.Columns}] for {weights.Width} channels, or values of a row apart", nameof(x));
        Plan plan = new() { Sequences = sequences, X = x, H = h, Weights = weights, Isa = IsaChoice.Current };
        (team ?? ThreadTeam.Default).Run(count * (weights.Width / weights.Block), &Part, &plan);
    }

    private static void Part(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        RecurrentWeights* weights = &plan->Weights;
        int size = weights->Block, blocks = weights->Width / size, channel = part % blocks * size;
        RecurrentRows* rows = plan->Sequences + part / blocks;
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int padded = AttentionTiles.Up(size, kernel.Columns);
        float* convolved = Scratch.Own(3L * kernel.Rows * padded), input = convolved + kernel.Rows * padded, recurrence = input + kernel.Rows * padded;
        for (int first = 0; first < rows->Count; first += kernel.Rows)
        {
            int count = Math.Min(kernel.Rows, rows->Count - first);
            for (int t = 0; t < count; t++)
                Convolve(plan, rows, first + t, channel, convolved + t * padded);
            for (int column = 0; column < size; column += kernel.Columns)
            {
                float* i = weights->InputGate + (long)channel * size + column, r = weights->RecurrentGate + (long)channel * size + column;
                kernel.Tile(count)(size, convolved, padded, 1, i, size, input + column, padded, false, i, 0);
                kernel.Tile(count)(size, convolved, padded, 1, r, size, recurrence + column, padded, false, r, 0);
            }

            for (int t = 0; t < count; t++)
                Recur(plan, rows, first + t, channel, convolved + t * padded, input + t * padded, recurrence + t * padded);
        }

        // The last inputs, oldest first; a short chunk leaves some of the earlier ones.
        for (int tap = 0; tap < weights->Taps - 1; tap++)
            new ReadOnlySpan<float>(InputAt(plan, rows, rows->Count - weights->Taps + 1 + tap) + channel, size).CopyTo(new Span<float>(rows->Taps + (long)tap * weights->Width + channel, size));
    }

    // The inputs of a row: from this pass, or before it.
    private static float* InputAt(Plan* plan, RecurrentRows* rows, int t) =>
        t >= 0 ? plan->X.Data + (rows->Row + t) * plan->X.RowStride : rows->Taps + (long)(plan->Weights.Taps - 1 + t) * plan->Weights.Width;

    private static void Convolve(Plan* plan, RecurrentRows* rows, int t, int channel, float* target)
    {
        RecurrentWeights* weights = &plan->Weights;
        // The last vector may hold fewer values.
        for (int i = 0; i < weights->Block; i += Vector<float>.Count)
        {
            int rest = weights->Block - i;
            Vector<float> sum = VectorFunctions.Load(weights->TapBias + channel + i, rest);
            for (int tap = 0; tap < weights->Taps; tap++)
                sum += VectorFunctions.Load(weights->TapWeights + (long)tap * weights->Width + channel + i, rest) * VectorFunctions.Load(InputAt(plan, rows, t - weights->Taps + 1 + tap) + channel + i, rest);
            VectorFunctions.Store(sum, target + i, rest);
        }
    }

    private static void Recur(Plan* plan, RecurrentRows* rows, int t, int channel, float* x, float* input, float* recurrence)
    {
        RecurrentWeights* weights = &plan->Weights;
        float* hidden = rows->Hidden + channel, target = plan->H.Data + (rows->Row + t) * plan->H.RowStride + channel;
        bool first = rows->Position + t == 0;
        for (int i = 0; i < weights->Block; i += Vector<float>.Count)
        {
            int rest = weights->Block - i;
            Vector<float> h = VectorFunctions.Sigmoid(VectorFunctions.Load(input + i, rest) + VectorFunctions.Load(weights->InputBias + channel + i, rest)) * VectorFunctions.Load(x + i, rest);
            if (!first)
            {
                Vector<float> sigmoid = VectorFunctions.Sigmoid(VectorFunctions.Load(recurrence + i, rest) + VectorFunctions.Load(weights->RecurrentBias + channel + i, rest));
                Vector<float> a = LinearRecurrence.Decay(VectorFunctions.Load(weights->Rates + channel + i, rest) * sigmoid, out Vector<float> complement);
                h = a * VectorFunctions.Load(hidden + i, rest) + complement * h;
            }

            VectorFunctions.Store(h, hidden + i, rest);
            VectorFunctions.Store(h, target + i, rest);
        }
    }

    private struct Plan
    {
        public RecurrentRows* Sequences;
        public MatrixView X, H;
        public RecurrentWeights Weights;
        public Isa Isa;
    }
}

/// <summary>Rows of a pass that belong to one sequence, and what its recurrent block keeps.</summary>
internal unsafe struct RecurrentRows
{
    /// <summary>[K - 1, W], the last inputs of the convolution, oldest first; 0 before the first.</summary>
    public float* Taps;

    /// <summary>[W], h of the last position.</summary>
    public float* Hidden;

    /// <summary>The first row, how many, and the position of the first.</summary>
    public int Row, Count, Position;
}

/// <summary>The numbers of a recurrent block, each followed by as many values as a product may read beyond it.</summary>
internal unsafe struct RecurrentWeights
{
    /// <summary>W, S and K.</summary>
    public int Width, Block, Taps;

    /// <summary>[K, W] and [W].</summary>
    public float* TapWeights, TapBias;

    /// <summary>[W, S], a row for each input of its block.</summary>
    public float* InputGate, RecurrentGate;

    /// <summary>[W].</summary>
    public float* InputBias, RecurrentBias;

    /// <summary>[W], 8 softplus(decay).</summary>
    public float* Rates;
}
