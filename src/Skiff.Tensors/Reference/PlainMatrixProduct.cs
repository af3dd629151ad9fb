namespace Skiff.Tensors;

/// <summary>The scalar twin of <see cref="MatrixProduct"/>: three loops, sums in double precision, rounded once.</summary>
public static unsafe class PlainMatrixProduct
{
    /// <summary>C = A B, or C += A B. Sizes as in <see cref="MatrixProduct"/>; any strides.</summary>
    /// <exception cref="ArgumentException">Sizes do not match.</exception>
    public static void Multiply(MatrixView a, MatrixView b, MatrixView c, bool accumulate = false)
    {
        if (a.Columns != b.Rows || c.Rows != a.Rows || c.Columns != b.Columns)
            throw new ArgumentException($"[{a.Rows}, {a.Columns}] times [{b.Rows}, {b.Columns}] is not [{c.Rows}, {c.Columns}]", nameof(c));
        for (int row = 0; row < c.Rows; row++)
        {
            for (int column = 0; column < c.Columns; column++)
            {
                float* target = c.Data + row * c.RowStride + column * c.ColumnStride;
                double sum = accumulate ? *target : 0;
                for (int k = 0; k < a.Columns; k++)
                    sum += (double)a.Data[row * a.RowStride + k * a.ColumnStride] * b.Data[k * b.RowStride + column * b.ColumnStride];
                *target = (float)sum;
            }
        }
    }
}
