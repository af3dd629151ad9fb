namespace Skiff.Tensors;

/// <summary>
/// A matrix of single-precision numbers in memory that somebody else owns: entry (r, c) lies
/// <c>r * RowStride + c * ColumnStride</c> values behind <see cref="Data"/>. Valid as long as that memory is: keep the
/// tensor reachable.
/// </summary>
public readonly unsafe struct MatrixView
{
    /// <summary>Rows of <paramref name="columns"/> values that follow each other without a gap.</summary>
    public MatrixView(float* data, int rows, int columns)
        : this(data, rows, columns, columns)
    {
    }

    /// <summary>Any strides, in values; a factor may repeat values with a stride of 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative size or stride.</exception>
    public MatrixView(float* data, int rows, int columns, long rowStride, long columnStride = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfNegative(rowStride);
        ArgumentOutOfRangeException.ThrowIfNegative(columnStride);
        Data = data;
        Rows = rows;
        Columns = columns;
        RowStride = rowStride;
        ColumnStride = columnStride;
    }

    /// <summary>Entry (0, 0).</summary>
    public float* Data { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>Values from one row to the next.</summary>
    public long RowStride { get; }

    /// <summary>Values from one column to the next.</summary>
    public long ColumnStride { get; }

    /// <summary>The same memory with rows and columns exchanged.</summary>
    public MatrixView Transposed => new(Data, Columns, Rows, ColumnStride, RowStride);

    /// <summary>All but the last dimension of a single-precision tensor as rows.</summary>
    /// <exception cref="ArgumentException">The tensor holds another number type.</exception>
    public static MatrixView Of(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Type != TensorType.F32)
            throw new ArgumentException($"{tensor} is not f32", nameof(tensor));
        return new MatrixView((float*)tensor.Data, checked((int)tensor.Rows), tensor.Columns);
    }

    /// <summary>A block of this matrix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The block does not lie inside.</exception>
    public MatrixView Block(int row, int rows, int column, int columns)
    {
        if (row < 0 || rows < 0 || row > Rows - rows)
            throw new ArgumentOutOfRangeException(nameof(row), $"rows {row} to {(long)row + rows} of {Rows}");
        if (column < 0 || columns < 0 || column > Columns - columns)
            throw new ArgumentOutOfRangeException(nameof(column), $"columns {column} to {(long)column + columns} of {Columns}");
        return new MatrixView(Data + row * RowStride + column * ColumnStride, rows, columns, RowStride, ColumnStride);
    }
}
