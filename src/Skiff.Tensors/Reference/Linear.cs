using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// y = x W^T + b in single precision with sums in double precision: slow, and the yardstick of every faster kernel.
/// The order of additions is fixed, so results are the same on every processor.
/// </summary>
public static class Linear
{
    // Below this many products, starting another thread costs more than it saves.
    private const long SmallestParallel = 1 << 20;

    /// <summary>Multiplies every row of <paramref name="x"/> with the matrix.</summary>
    /// <param name="weight">[outputs, inputs], any number type; rows are widened as they are read.</param>
    /// <param name="bias">[outputs] in any type, or null.</param>
    /// <param name="x">[T, inputs].</param>
    /// <param name="y">[T, outputs], overwritten.</param>
    public static unsafe void Apply(Tensor weight, Tensor? bias, ReadOnlySpan<float> x, Span<float> y)
    {
        int inputs = weight.Columns, outputs = checked((int)weight.Rows), time = x.Length / inputs;
        if (x.Length != time * inputs || y.Length != (long)time * outputs)
            throw new ArgumentException($"x has {x.Length} and y {y.Length} values for a matrix {weight}");
        float[]? offset = null;
        if (bias is not null)
            bias.Reshape(1, outputs).ReadRow(0, offset = new float[outputs]);
        fixed (float* input = x, output = y)
        {
            float* source = input, target = output;
            int perTask = (long)outputs * inputs * time < SmallestParallel ? outputs : Math.Max(1, outputs / (4 * Environment.ProcessorCount));
            int tasks = (outputs + perTask - 1) / perTask;
            if (tasks == 1)
                Rows(0, outputs);
            else
                Parallel.For(0, tasks, t => Rows(t * perTask, Math.Min(outputs, (t + 1) * perTask)));

            void Rows(int first, int end)
            {
                float[] widened = weight.Type == TensorType.F32 ? [] : new float[inputs];
                for (int r = first; r < end; r++)
                {
                    ReadOnlySpan<float> row = widened;
                    if (weight.Type == TensorType.F32)
                        row = MemoryMarshal.Cast<byte, float>(weight.RowBytes(r));
                    else
                        weight.ReadRow(r, widened);
                    double start = offset is null ? 0 : offset[r];
                    for (int t = 0; t < time; t++)
                        target[(long)t * outputs + r] = (float)(start + Dot(row, new ReadOnlySpan<float>(source + (long)t * inputs, inputs)));
                }
            }
        }

        GC.KeepAlive(weight);
    }

    /// <summary>The sum of a[i] b[i], in eight double-precision lanes: products of two singles are exact there.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ref float left = ref MemoryMarshal.GetReference(a), right = ref MemoryMarshal.GetReference(b);
        Vector256<double> low = Vector256<double>.Zero, high = Vector256<double>.Zero;
        int i = 0;
        for (; i <= a.Length - 8; i += 8)
        {
            (Vector256<double> al, Vector256<double> ah) = Vector256.Widen(Vector256.LoadUnsafe(ref left, (nuint)i));
            (Vector256<double> bl, Vector256<double> bh) = Vector256.Widen(Vector256.LoadUnsafe(ref right, (nuint)i));
            low += al * bl;
            high += ah * bh;
        }

        double sum = Vector256.Sum(low + high);
        for (; i < a.Length; i++)
            sum += (double)Unsafe.Add(ref left, i) * Unsafe.Add(ref right, i);
        return sum;
    }
}
