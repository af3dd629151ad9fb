// N rows, W width, S size of a block
namespace Skiff.Tensors;

/// <summary>
/// A linear layer whose matrix is block-diagonal, as Griffin's gates have it (arXiv 2402.19427, section 2.4): each block of S inputs
/// gives the S outputs at the same place. Results are the same for any number of threads.
/// </summary>
public static class BlockDiagonal
{
    /// <summary>y[n, b S + j] = sum_i x[n, b S + i] weights[b S + i, j] + bias[b S + j].</summary>
    /// <param name="x">[N, W].</param>
    /// <param name="weights">[W, S], block below block, a row for each input; S divides W.</param>
    /// <param name="bias">[W].</param>
    /// <param name="y">[N, W], overwritten; not x.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other.</exception>
    public static void Forward(MatrixView x, MatrixView weights, ReadOnlySpan<float> bias, MatrixView y, ThreadTeam? team = null)
    {
        Check(x, weights, y, bias.Length);
        int size = weights.Columns;
        for (int block = 0; block < x.Columns; block += size)
            MatrixProduct.Multiply(x.Block(0, x.Rows, block, size), weights.Block(block, size, 0, size), y.Block(0, y.Rows, block, size), team: team);
        Bias.Add(y, bias, team);
    }

    /// <summary>For each block dx = dy weights^T and dWeights += x^T dy; dBias += the sum of dy over the rows.</summary>
    /// <param name="dy">[N, W].</param>
    /// <param name="x">[N, W], as given to the forward.</param>
    /// <param name="weights">[W, S].</param>
    /// <param name="dx">[N, W]; neither dy nor x.</param>
    /// <param name="dWeights">[W, S], added to; or null.</param>
    /// <param name="dBias">[W], added to; or empty.</param>
    /// <param name="accumulate">Add to dx rather than overwrite it: an input with several gates.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other.</exception>
    public static void Backward(
        MatrixView dy, MatrixView x, MatrixView weights, MatrixView dx, MatrixView? dWeights, Span<float> dBias, bool accumulate = false, ThreadTeam? team = null)
    {
        Check(x, weights, dy, dBias.Length == 0 ? x.Columns : dBias.Length);
        Check(x, dWeights ?? weights, dx, x.Columns);
        int size = weights.Columns;
        if (dWeights is { } other && other.Columns != size)
            throw new ArgumentException($"a gradient in blocks of {other.Columns} for blocks of {size}", nameof(dWeights));
        for (int block = 0; block < x.Columns; block += size)
        {
            MatrixView gradient = dy.Block(0, dy.Rows, block, size);
            MatrixProduct.Multiply(gradient, weights.Block(block, size, 0, size).Transposed, dx.Block(0, dx.Rows, block, size), accumulate, team);
            if (dWeights is { } dw)
                MatrixProduct.Multiply(x.Block(0, x.Rows, block, size).Transposed, gradient, dw.Block(block, size, 0, size), accumulate: true, team: team);
        }

        if (dBias.Length > 0)
            Bias.Backward(dy, dBias, team);
    }

    private static void Check(MatrixView x, MatrixView weights, MatrixView y, int bias)
    {
        if (y.Rows != x.Rows || y.Columns != x.Columns || weights.Rows != x.Columns || bias != x.Columns
            || weights.Columns == 0 || weights.Rows % weights.Columns != 0)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}] and [{y.Rows}, {y.Columns}] with blocks [{weights.Rows}, {weights.Columns}] and {bias} biases", nameof(weights));
    }

    // The twins; rows have no gaps.
    internal static void Scalar(ReadOnlySpan<double> x, ReadOnlySpan<double> weights, ReadOnlySpan<double> bias, Span<double> y)
    {
        int width = bias.Length, size = weights.Length / width;
        for (int at = 0; at < y.Length; at++)
        {
            (int n, int w) = (at / width, at % width);
            y[at] = bias[w];
            for (int i = w - w % size; i < w - w % size + size; i++)
                y[at] += x[n * width + i] * weights[i * size + w % size];
        }
    }

    internal static void ScalarBackward(
        ReadOnlySpan<double> dy, ReadOnlySpan<double> x, ReadOnlySpan<double> weights, Span<double> dx, Span<double> dWeights, Span<double> dBias)
    {
        int width = dBias.Length, size = weights.Length / width;
        dx.Clear();
        for (int at = 0; at < dy.Length; at++)
        {
            (int n, int w) = (at / width, at % width);
            dBias[w] += dy[at];
            for (int i = w - w % size; i < w - w % size + size; i++)
            {
                dx[n * width + i] += dy[at] * weights[i * size + w % size];
                dWeights[i * size + w % size] += dy[at] * x[n * width + i];
            }
        }
    }
}
