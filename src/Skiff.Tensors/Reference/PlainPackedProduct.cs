// M rows of activations, N outputs, K inputs
using System.Numerics.Tensors;

namespace Skiff.Tensors;

/// <summary>The scalar twin of <see cref="PackedMatrix"/>, in double precision.</summary>
internal static unsafe class PlainPackedProduct
{
    /// <summary>
    /// y = x W^T; quantized weights meet x as <see cref="Activations"/> rounds it. Also gives what errors are measured by: the sum of
    /// magnitudes of each entry's terms, each weight as great as the greatest of its 32, and the most that the rounding of x can change it by.
    /// </summary>
    public static (double[] Y, double[] Magnitudes, double[] Roundings) Multiply(Tensor weight, MatrixView x)
    {
        int outputs = (int)weight.Rows, inputs = weight.Columns;
        double[] y = new double[x.Rows * outputs], magnitudes = new double[y.Length], roundings = new double[y.Length], rounded = new double[inputs], steps = new double[inputs];
        float[] row = new float[inputs];
        Span<int> codes = stackalloc int[BlockMath.Group];
        for (int m = 0; m < x.Rows; m++)
        {
            ReadOnlySpan<float> values = new(x.Data + m * x.RowStride, inputs);
            for (int i = 0; i < inputs; i++)
                rounded[i] = values[i];
            for (int i = 0; i < inputs && weight.Type.IsQuantized(); i += BlockMath.Group)
            {
                float scale = Activations.Scalar(values.Slice(i, BlockMath.Group), codes);
                for (int k = 0; k < BlockMath.Group; k++)
                    (rounded[i + k], steps[i + k]) = ((double)scale * codes[k], scale);
            }

            for (int n = 0; n < outputs; n++)
            {
                weight.ReadRow(n, row);
                int at = m * outputs + n;
                float greatest = 0;
                for (int i = 0; i < inputs; i++)
                {
                    if (i % BlockMath.Group == 0)
                        greatest = Math.Abs(TensorPrimitives.MaxMagnitude(row.AsSpan(i, Math.Min(BlockMath.Group, inputs - i))));
                    y[at] += row[i] * rounded[i];
                    magnitudes[at] += Math.Abs(greatest * rounded[i]);
                    roundings[at] += Math.Abs(row[i]) * steps[i] / 2;
                }
            }
        }

        return (y, magnitudes, roundings);
    }
}
