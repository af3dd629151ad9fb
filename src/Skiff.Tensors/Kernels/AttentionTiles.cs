namespace Skiff.Tensors;

/// <summary>
/// How the positions of one head are laid out for tiles. Columns are the T positions, then from <see cref="FarBase"/> the far
/// positions once more, so that every row of scores is made of two intervals of columns.
/// </summary>
internal readonly unsafe struct AttentionTiles
{
    // Queries of a tile: a multiple of the 12 and 6 rows of the innermost products. What they see is worked out for each such
    // group of rows, so that little is computed in vain along the diagonal.
    public const int Rows = 96;

    // Keys of a tile: a multiple of all panel widths. Up to so many positions, a row's scores are there all at once.
    public const int Columns = 256;

    private readonly MicroKernel _kernel;
    private readonly VisibleIntervals _seen;

    public AttentionTiles(MicroKernel kernel, VisibleIntervals seen)
    {
        (_kernel, _seen) = (kernel, seen);
        FarBase = Up(seen.Time, kernel.Columns);
        Count = FarBase + Up(seen.FarCount, kernel.Columns);
    }

    /// <summary>Column of the first far position.</summary>
    public int FarBase { get; }

    /// <summary>Columns in all, whole panels.</summary>
    public int Count { get; }

    /// <summary>Column behind the last far position.</summary>
    public int FarEnd => FarBase + _seen.FarCount;

    /// <summary>The least multiple of <paramref name="step"/> that holds a size.</summary>
    public static int Up(int size, int step) => (size + step - 1) / step * step;

    /// <summary>The columns a row sees: near (0) or far (1).</summary>
    public (int Start, int End) Of(int row, int interval)
        => interval == 0 ? (_seen.NearStart[row], row + 1) : (FarBase + _seen.FarStart[row], FarBase + _seen.FarEnd[row]);

    /// <summary>The columns that any of some rows sees. Near intervals start no earlier from row to row.</summary>
    public (int Start, int End) OfRows(int firstRow, int endRow, int interval)
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

    /// <summary>Columns next to each other: panels of [size, panel width], for products with the transposed matrix.</summary>
    public void PackTransposed(AttentionRows rows, int size, float* panels)
    {
        int panel = _kernel.Columns;
        for (int column = 0; column < Count; column += panel)
        {
            int count = Math.Min(panel, (column < FarBase ? _seen.Time : FarEnd) - column);
            PanelPacking.Pack(rows.At(column), rows.StrideAt(column), 1, count, count, size, panels + (long)column * size, panel);
        }
    }

    /// <summary>scores[r, c - first] = a[r] . column c for the panels that hold columns <paramref name="from"/> to <paramref name="to"/>.</summary>
    public void Scores(float* a, nint aStride, int rows, int size, float* panels, int first, int from, int to, float* scores, ref AttentionAhead ahead)
    {
        int panel = _kernel.Columns;
        for (int column = from / panel * panel; column < to; column += panel)
        {
            float* b = panels + (long)column * size, line = ahead.Take(size, out nint stride);
            _kernel.Tile(rows)(size, a, aStride, 1, b, panel, scores + (column - first), Columns, false, line, stride);
        }
    }

    /// <summary>
    /// c = or += a [rows, length] b [length, width] for the rows of one innermost product and whole panels.
    /// </summary>
    public void Product(float* a, nint aRow, nint aStep, int rows, int length, float* b, nint bStride, float* c, nint cStride, int width, bool accumulate, ref AttentionAhead ahead)
    {
        for (int column = 0; column < width; column += _kernel.Columns)
        {
            float* line = ahead.Take(length, out nint stride);
            _kernel.Tile(rows)(length, a, aRow, aStep, b + column, bStride, c + column, cStride, accumulate, line, stride);
        }
    }
}
