// N rows, D model
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// RMSNorm y = x r (gain + offset), r = 1 / sqrt(mean(x^2) + eps) (arXiv 1910.07467, equation 4), and LayerNorm
/// y = (x - m) r (gain + offset) + bias, r = 1 / sqrt(variance + eps) (arXiv 1607.06450). Sums over rows run in an order that depends
/// on the sizes alone: results are the same for any number of threads.
/// </summary>
public static unsafe class Normalization
{
    private const int PartValues = 1 << 13;

    // Partial sums of gain and bias gradients: enough for any machine, few enough to add up at the end.
    private const int MostPartials = 64, LeastPartialRows = 16;

    /// <summary>Normalizes each row and keeps what the backward needs.</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="gain">[D] or empty for 1.</param>
    /// <param name="bias">[D] or empty for 0.</param>
    /// <param name="gainOffset">Added to every gain (Gemma: 1).</param>
    /// <param name="epsilon">Added to the mean square or variance.</param>
    /// <param name="y">[N, D], overwritten; may be x where no backward follows.</param>
    /// <param name="inverse">[N], r of each row, overwritten.</param>
    /// <param name="mean">[N], m of each row, overwritten: LayerNorm. Empty: RMSNorm.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    public static void Forward(
        MatrixView x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float gainOffset, double epsilon,
        MatrixView y, Span<float> inverse, Span<float> mean, ThreadTeam? team = null)
    {
        Check(x, y, gain.Length, bias.Length, inverse.Length, mean.Length);
        fixed (float* g = gain, b = bias, r = inverse, m = mean)
        {
            Plan plan = new() { X = x, Y = y, Gain = g, Bias = b, Inverse = r, Mean = m, Offset = gainOffset, Epsilon = epsilon };
            plan.PartRows = Math.Max(1, PartValues / Math.Max(1, x.Columns));
            (team ?? ThreadTeam.Default).Run((x.Rows + plan.PartRows - 1) / plan.PartRows, &ForwardPart, &plan);
        }
    }

    /// <summary>
    /// With n = (x - m) r and g = dy (gain + offset): dx = r (g - n mean(g n)), for LayerNorm r (g - mean(g) - n mean(g n));
    /// dGain += sum dy n and dBias += sum dy over the rows.
    /// </summary>
    /// <param name="dy">[N, D].</param>
    /// <param name="x">[N, D], as given to the forward.</param>
    /// <param name="gain">[D] or empty.</param>
    /// <param name="gainOffset">As given to the forward.</param>
    /// <param name="inverse">[N], from the forward.</param>
    /// <param name="mean">[N] from the forward, or empty for RMSNorm.</param>
    /// <param name="dx">[N, D]; may be dy.</param>
    /// <param name="dGain">[D] added to, or empty.</param>
    /// <param name="dBias">[D] added to, or empty.</param>
    /// <param name="accumulate">Add to dx rather than overwrite it.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    public static void Backward(
        MatrixView dy, MatrixView x, ReadOnlySpan<float> gain, float gainOffset, ReadOnlySpan<float> inverse, ReadOnlySpan<float> mean,
        MatrixView dx, Span<float> dGain, Span<float> dBias, bool accumulate = false, ThreadTeam? team = null)
    {
        Check(x, dy, gain.Length, dBias.Length, inverse.Length, mean.Length);
        Check(x, dx, dGain.Length, 0, inverse.Length, mean.Length);
        fixed (float* g = gain, r = inverse, m = mean)
        {
            Plan plan = new() { X = x, Y = dy, Target = dx, Gain = g, Inverse = r, Mean = m, Offset = gainOffset, Accumulate = accumulate };
            plan.PartRows = Math.Max(LeastPartialRows, (x.Rows + MostPartials - 1) / MostPartials);
            int parts = (x.Rows + plan.PartRows - 1) / plan.PartRows;
            plan.Partials = Scratch.Shared(2L * parts * x.Columns);
            (plan.WantsGain, plan.WantsBias) = (dGain.Length > 0, dBias.Length > 0);
            (team ?? ThreadTeam.Default).Run(parts, &BackwardPart, &plan);
            for (int part = 0; part < parts; part++)
            {
                ReadOnlySpan<float> sums = new(plan.Partials + 2L * part * x.Columns, 2 * x.Columns);
                for (int i = 0; i < dGain.Length; i++)
                    dGain[i] += sums[i];
                for (int i = 0; i < dBias.Length; i++)
                    dBias[i] += sums[x.Columns + i];
            }
        }
    }

    private static void Check(MatrixView x, MatrixView other, int gain, int bias, int inverse, int mean)
    {
        if (other.Rows != x.Rows || other.Columns != x.Columns || x.ColumnStride != 1 || other.ColumnStride != 1)
            throw new ArgumentException($"[{other.Rows}, {other.Columns}] beside [{x.Rows}, {x.Columns}], or values of a row apart", nameof(other));
        if ((gain != 0 && gain != x.Columns) || (bias != 0 && bias != x.Columns) || inverse != x.Rows || (mean != 0 && mean != x.Rows))
            throw new ArgumentException($"{gain} gains, {bias} biases, {inverse} scales and {mean} means for [{x.Rows}, {x.Columns}]", nameof(gain));
    }

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->X.Columns;
        for (int row = part * plan->PartRows, end = Math.Min(plan->X.Rows, row + plan->PartRows); row < end; row++)
        {
            float* x = plan->X.Data + row * plan->X.RowStride, y = plan->Y.Data + row * plan->Y.RowStride;
            float mean = plan->Mean is null ? 0 : Sum(x, columns) / columns;
            float inverse = (float)(1 / Math.Sqrt((double)SquareSum(x, mean, columns) / columns + plan->Epsilon));
            plan->Inverse[row] = inverse;
            if (plan->Mean is not null)
                plan->Mean[row] = mean;
            Vector<float> m = new(mean), r = new(inverse), offset = new(plan->Offset);
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> value = (Vector.Load(x + i) - m) * r;
                if (plan->Gain is not null)
                    value *= Vector.Load(plan->Gain + i) + offset;
                if (plan->Bias is not null)
                    value += Vector.Load(plan->Bias + i);
                value.Store(y + i);
            }

            // The values that fill no vector.
            for (; i < columns; i++)
                y[i] = (x[i] - mean) * inverse * plan->GainAt(i) + (plan->Bias is null ? 0 : plan->Bias[i]);
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->X.Columns;
        float* gainSum = plan->Partials + 2L * part * columns, biasSum = gainSum + columns;
        new Span<float>(gainSum, 2 * columns).Clear();
        for (int row = part * plan->PartRows, end = Math.Min(plan->X.Rows, row + plan->PartRows); row < end; row++)
        {
            float* x = plan->X.Data + row * plan->X.RowStride, dy = plan->Y.Data + row * plan->Y.RowStride, dx = plan->Target.Data + row * plan->Target.RowStride;
            float mean = plan->Mean is null ? 0 : plan->Mean[row], inverse = plan->Inverse[row], plain = 0, dot = 0;
            Vector<float> m = new(mean), r = new(inverse), offset = new(plan->Offset), plainSums = Vector<float>.Zero, dotSums = Vector<float>.Zero;
            int whole = columns - columns % Vector<float>.Count;
            for (int i = 0; i < whole; i += Vector<float>.Count)
            {
                Vector<float> dv = Vector.Load(dy + i), n = (Vector.Load(x + i) - m) * r, g = plan->Gain is null ? dv : dv * (Vector.Load(plan->Gain + i) + offset);
                plainSums += g;
                dotSums += g * n;
                if (plan->WantsGain)
                    (Vector.Load(gainSum + i) + dv * n).Store(gainSum + i);
                if (plan->WantsBias)
                    (Vector.Load(biasSum + i) + dv).Store(biasSum + i);
            }

            // The values that fill no vector, in this pass and the next.
            for (int i = whole; i < columns; i++)
            {
                float n = (x[i] - mean) * inverse, g = dy[i] * plan->GainAt(i);
                plain += g;
                dot += g * n;
                gainSum[i] += dy[i] * n;
                biasSum[i] += dy[i];
            }

            plain = plan->Mean is null ? 0 : (plain + Vector.Sum(plainSums)) / columns;
            dot = (dot + Vector.Sum(dotSums)) / columns;
            Vector<float> plainMean = new(plain), dotMean = new(dot);
            for (int i = 0; i < whole; i += Vector<float>.Count)
            {
                Vector<float> dv = Vector.Load(dy + i), n = (Vector.Load(x + i) - m) * r, g = plan->Gain is null ? dv : dv * (Vector.Load(plan->Gain + i) + offset);
                Vector<float> value = r * (g - plainMean - n * dotMean);
                (plan->Accumulate ? Vector.Load(dx + i) + value : value).Store(dx + i);
            }

            for (int i = whole; i < columns; i++)
            {
                float value = inverse * (dy[i] * plan->GainAt(i) - plain - (x[i] - mean) * inverse * dot);
                dx[i] = plan->Accumulate ? dx[i] + value : value;
            }
        }
    }

    private static float Sum(float* x, int count)
    {
        Vector<float> sums = Vector<float>.Zero;
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
            sums += Vector.Load(x + i);
        float sum = Vector.Sum(sums);
        // The values that fill no vector.
        for (; i < count; i++)
            sum += x[i];
        return sum;
    }

    private static float SquareSum(float* x, float mean, int count)
    {
        Vector<float> first = Vector<float>.Zero, second = Vector<float>.Zero, m = new(mean);
        int i = 0;
        for (; i <= count - 2 * Vector<float>.Count; i += 2 * Vector<float>.Count)
        {
            Vector<float> a = Vector.Load(x + i) - m, b = Vector.Load(x + i + Vector<float>.Count) - m;
            first += a * a;
            second += b * b;
        }

        float sum = Vector.Sum(first + second);
        // The values that fill no pair of vectors.
        for (; i < count; i++)
            sum += (x[i] - mean) * (x[i] - mean);
        return sum;
    }

    // The twin's backward of one row; its forward is Norm's.
    internal static void ScalarBackward(
        ReadOnlySpan<double> dy, ReadOnlySpan<double> x, ReadOnlySpan<double> gain, double offset, double epsilon, bool rms,
        Span<double> dx, Span<double> dGain, Span<double> dBias)
    {
        int d = x.Length;
        double mean = 0, square = 0, plain = 0, dot = 0;
        for (int i = 0; i < d && !rms; i++)
            mean += x[i] / d;
        for (int i = 0; i < d; i++)
            square += (x[i] - mean) * (x[i] - mean) / d;
        double r = 1 / Math.Sqrt(square + epsilon);
        for (int i = 0; i < d; i++)
        {
            double n = (x[i] - mean) * r, g = dy[i] * (gain.Length > 0 ? gain[i] + offset : 1);
            plain += rms ? 0 : g / d;
            dot += g * n / d;
            if (dGain.Length > 0)
                dGain[i] += dy[i] * n;
            if (dBias.Length > 0)
                dBias[i] += dy[i];
        }

        for (int i = 0; i < d; i++)
            dx[i] = r * (dy[i] * (gain.Length > 0 ? gain[i] + offset : 1) - plain - (x[i] - mean) * r * dot);
    }

    private struct Plan
    {
        public MatrixView X, Y, Target;
        public float* Gain, Bias, Inverse, Mean, Partials;
        public float Offset;
        public double Epsilon;
        public bool Accumulate, WantsGain, WantsBias;
        public int PartRows;

        public readonly float GainAt(int i) => Gain is null ? 1 : Gain[i] + Offset;
    }
}
