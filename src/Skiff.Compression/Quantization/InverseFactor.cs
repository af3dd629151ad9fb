// K inputs of a matrix
using System.Numerics.Tensors;
using Tensor = Skiff.Tensors.Tensor;

namespace Skiff.Compression;

/// <summary>U, upper triangular, of H^-1 = U^T U with H damped: how an error of one input's weight is best made up for by those behind it.</summary>
internal static class InverseFactor
{
    /// <summary>Share of the mean of H's diagonal that is added to it (arXiv 2210.17323, section 3.3).</summary>
    public const double Damping = 0.01;

    /// <summary>Rows of U, each from its diagonal on: row i has K - i values.</summary>
    public static unsafe double[][] Of(Tensor hessian)
    {
        int k = hessian.Columns;
        ReadOnlySpan<float> h = hessian.Floats();
        double mean = 0;
        for (int i = 0; i < k; i++)
            mean += h[(i * k) + i] / (double)k;
        // From the end on, H = M M^T with M upper triangular, and U is M's inverse: one factorization and no inverse of H.
        double[][] lower = new double[k][];
        for (int i = 0; i < k; i++)
        {
            lower[i] = new double[i + 1];
            for (int j = 0; j <= i; j++)
                lower[i][j] = h[((k - 1 - i) * k) + (k - 1 - j)] + (i == j ? Math.Max(Damping * mean, 1e-9) : 0);
        }

        for (int i = 0; i < k; i++)
        {
            for (int j = 0; j < i; j++)
                lower[i][j] = (lower[i][j] - TensorPrimitives.Dot(lower[i].AsSpan(0, j), lower[j].AsSpan(0, j))) / lower[j][j];
            lower[i][i] = Math.Sqrt(lower[i][i] - TensorPrimitives.Dot(lower[i].AsSpan(0, i), lower[i].AsSpan(0, i)));
        }

        // Column j of the inverse, from the diagonal down; turned round again it is a column of U.
        double[][] factor = [.. Enumerable.Range(0, k).Select(i => new double[k - i])];
        Parallel.For(0, k, j =>
        {
            double[] column = new double[k];
            column[j] = 1 / lower[j][j];
            for (int i = j + 1; i < k; i++)
                column[i] = -TensorPrimitives.Dot(lower[i].AsSpan(j, i - j), column.AsSpan(j, i - j)) / lower[i][i];
            for (int i = j; i < k; i++)
                factor[k - 1 - i][i - j] = column[i];
        });
        return factor;
    }
}
