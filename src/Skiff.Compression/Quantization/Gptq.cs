// N outputs, K inputs of a matrix, B values of a block
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Rounds a matrix input by input; what an input's rounding changes in the output over a text, the weights of the inputs behind it make up for
/// (GPTQ, arXiv 2210.17323). Blocks, their scales and their bytes are those of the number type: a block's scales are fitted when its turn comes,
/// to the weights as they then are.
/// </summary>
internal static class Gptq
{
    /// <summary>Quantizes a matrix [N, K].</summary>
    /// <param name="weight">The matrix.</param>
    /// <param name="factor">Of its inputs: <see cref="InverseFactor"/>.</param>
    /// <param name="type">A quantized type whose blocks fill the rows.</param>
    public static unsafe Tensor Quantize(Tensor weight, double[][] factor, TensorType type)
    {
        int n = checked((int)weight.Rows), k = weight.Columns, block = type.BlockLength(), bytes = type.BlockBytes();
        Tensor result = Tensor.AllocateRaw(type, n, k), values = Tensor.Allocate(TensorType.F32, n, k), errors = Tensor.Allocate(TensorType.F32, n, block), slopes = Tensor.Allocate(TensorType.F32, block, k);
        float[] importance = Importance(factor);
        for (int r = 0; r < n; r++)
            weight.ReadRow(r, values.Floats().Slice(r * k, k));
        for (int start = 0; start < k; start += block)
        {
            int first = start;
            Parallel.For(0, n, r => Round(
                type, values.Floats().Slice((r * k) + first, block), factor, first, importance.AsSpan(first, block), result.MutableRowBytes(r).Slice(first / block * bytes, bytes),
                errors.Floats().Slice(r * block, block)));
            int rest = k - start - block;
            if (rest == 0)
                break;
            Span<float> rows = slopes.Floats();
            for (int i = 0; i < block; i++)
            {
                for (int c = 0; c < rest; c++)
                    rows[(i * k) + c] = -(float)factor[start + i][block - i + c];
            }

            MatrixProduct.Multiply(
                new MatrixView((float*)errors.Data, n, block), new MatrixView((float*)slopes.Data, block, rest, k), new MatrixView((float*)values.Data + start + block, n, rest, k), accumulate: true);
        }

        return result;
    }

    // A block of a row: its scales from what stands there, then code by code. The errors over U's diagonal are left for the blocks behind.
    private static void Round(TensorType type, Span<float> values, double[][] factor, int first, ReadOnlySpan<float> importance, Span<byte> bytes, Span<float> errors)
    {
        ImportantBlocks.Encode(type, values, importance, bytes);
        int length = BlockGrid.GroupLength(type), most = BlockGrid.Most(type), least = type == TensorType.Q8_0 ? 1 : 0;
        Span<float> scales = stackalloc float[16], offsets = stackalloc float[16];
        Span<byte> codes = stackalloc byte[256];
        BlockGrid.Read(type, bytes, scales, offsets);
        for (int i = 0; i < values.Length; i++)
        {
            float scale = scales[i / length], offset = offsets[i / length];
            int code = scale == 0 || !float.IsFinite(scale) ? least : (int)Math.Clamp(MathF.Round((values[i] - offset) / scale), least, most);
            codes[i] = (byte)code;
            double[] row = factor[first + i];
            float error = (float)((values[i] - (offset + (scale * code))) / row[0]);
            errors[i] = error;
            for (int j = i + 1; j < values.Length; j++)
                values[j] -= error * (float)row[j - i];
        }

        BlockGrid.Write(type, bytes, codes[..values.Length]);
    }

    // An error of an input costs its square over the square of U's diagonal.
    private static float[] Importance(double[][] factor)
    {
        double[] costs = [.. factor.Select(row => 1 / (row[0] * row[0]))];
        double mean = costs.Average();
        return [.. costs.Select(cost => (float)((cost / mean) + 1e-4))];
    }
}
