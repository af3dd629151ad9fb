namespace Skiff.Tensors;

/// <summary>
/// Keys or values of one head laid out for tiles. Columns are the T positions, then from <see cref="FarBase"/> copies of the far
/// positions, so that every row of scores is made of two intervals of columns.
/// </summary>
internal readonly unsafe struct AttentionTiles
{
    // Queries of a tile: a multiple of the 12 and 6 rows of the innermost products.
    public const int Rows = 48;

    // Keys of a tile: a multiple of all panel widths; keys, values and scores of a tile stay in the first-level cache.
    public const int Columns = 64;

    private readonly MicroKernel _kernel;
    private readonly VisibleIntervals _seen;

    public AttentionTiles(MicroKernel kernel, VisibleIntervals seen)
    {
        (_kernel, _seen) = (kernel, seen);
        FarBase = Up(seen.Time, Columns);
        Count = FarBase + Up(seen.FarCount, Columns);
    }

    /// <summary>Column of the first far position.</summary>
    public int FarBase { get; }

    /// <summary>Columns in all, whole tiles.</summary>
    public int Count { get; }

    /// <summary>Column behind the last far position.</summary>
    public int FarEnd => FarBase + _seen.FarCount;

    /// <summary>The least multiple of <paramref name="step"/> that holds a size.</summary>
    public static int Up(int size, int step) => (size + step - 1) / step * step;

    /// <summary>The columns a row sees: near (0) or far (1).</summary>
    public (int Start, int End) Of(int row, int interval)
        => interval == 0 ? (_seen.NearStart[row], row + 1) : (FarBase + _seen.FarStart[row], FarBase + _seen.FarEnd[row]);

    /// <summary>The columns that any of some rows sees. Near intervals start no earlier from row to row.</summary>
    public (int Start, int End) OfTile(int firstRow, int endRow, int interval)
    {
        if (interval == 0)
            return (_seen.NearStart[firstRow], endRow);
        (int start, int end) = _seen.FarOf(firstRow, endRow);
        return (FarBase + start, FarBase + end);
    }

    /// <summary>The position in a column.</summary>
    public int PositionOf(int column) => column < FarBase ? column : _seen.Far[column - FarBase];

    /// <summary>The positions of all filled columns, as numbers of the bias's type.</summary>
    public void Positions(float* positions)
    {
        for (int column = 0; column < FarEnd; column++)
            positions[column] = PositionOf(column);
    }

    /// <summary>rows[column, i] = source at the column's position, zeros up to <paramref name="width"/> and in empty columns.</summary>
    public void CopyRows(float* source, long stride, int size, float* rows, int width)
    {
        for (int column = 0; column < Count; column++, rows += width)
        {
            bool filled = column < _seen.Time || (column >= FarBase && column < FarEnd);
            if (filled)
                new ReadOnlySpan<float>(source + PositionOf(column) * stride, size).CopyTo(new Span<float>(rows, size));
            new Span<float>(rows + (filled ? size : 0), filled ? width - size : width).Clear();
        }
    }

    /// <summary>The same with columns next to each other: panels of [size, panel width], for products with the transposed matrix.</summary>
    public void PackTransposed(float* rows, int width, int size, float* panels)
    {
        int panel = _kernel.Columns;
        for (int column = 0; column < Count; column += panel)
            PanelPacking.Pack(rows + (long)column * width, width, 1, panel, panel, size, panels + (long)column * size, panel);
    }

    /// <summary>scores[r, c - first] = a[r] . column c for the panels that hold columns <paramref name="from"/> to <paramref name="to"/>.</summary>
    public void Scores(float* a, nint aStride, int rows, int size, float* panels, int first, int from, int to, float* scores)
    {
        int panel = _kernel.Columns;
        for (int column = first + (from - first) / panel * panel; column < to; column += panel)
        {
            float* b = panels + (long)column * size;
            for (int r = 0; r < rows; r += _kernel.Rows)
                _kernel.Tile(Math.Min(_kernel.Rows, rows - r))(size, a + r * aStride, aStride, 1, b, panel, scores + r * Columns + (column - first), Columns, false, b, 0);
        }
    }

    /// <summary>c [rows, width] += a [rows, length] b [length, width], where width is whole panels.</summary>
    public static void Add(MicroKernel kernel, float* a, nint aRow, nint aStep, int rows, int length, float* b, float* c, int width)
    {
        for (int column = 0; column < width; column += kernel.Columns)
        {
            for (int r = 0; r < rows; r += kernel.Rows)
                kernel.Tile(Math.Min(kernel.Rows, rows - r))(length, a + r * aRow, aRow, aStep, b + column, width, c + r * width + column, width, true, b, 0);
        }
    }
}
