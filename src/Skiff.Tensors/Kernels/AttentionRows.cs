namespace Skiff.Tensors;

/// <summary>
/// Rows of one head for products that take whole panels: where they lie if a row is whole panels, else in room of their own, filled
/// up with zeros. Far positions, which lie apart, always have room of their own.
/// </summary>
internal unsafe struct AttentionRows
{
    // Column from which rows are far ones.
    private int _farBase;
    private bool _inPlace;
    private nint _nearStride;
    private float* _near, _far;

    /// <summary>Values in a row.</summary>
    public int Width { get; private set; }

    /// <summary>Values of room for so many rows.</summary>
    public static long Room(HeadsView view, int rows, int panel) => (long)rows * AttentionTiles.Up(view.HeadDim, panel);

    /// <summary>Rows of <paramref name="count"/> positions; room for those that do not lie in whole panels.</summary>
    public static AttentionRows Of(HeadsView view, int batch, int first, int head, int count, int panel, float* room, bool copy)
    {
        AttentionRows rows = new() { Width = AttentionTiles.Up(view.HeadDim, panel), _farBase = int.MaxValue };
        rows._inPlace = rows.Width == view.HeadDim;
        rows._near = rows._inPlace ? view.At(batch, first, head) : room;
        rows._nearStride = rows._inPlace ? (nint)view.TimeStride : rows.Width;
        for (int r = 0; r < count && copy && !rows._inPlace; r++)
            Copy(view.At(batch, first + r, head), view.HeadDim, rows.At(r), rows.Width);
        return rows;
    }

    /// <summary>All positions, then from the far base on copies of the far ones.</summary>
    public static AttentionRows OfAll(HeadsView view, int batch, int head, AttentionTiles tiles, int panel, float* room, bool copy)
    {
        AttentionRows rows = Of(view, batch, 0, head, view.Time, panel, room, copy);
        rows._farBase = tiles.FarBase;
        rows._far = room + Room(view, view.Time, panel);
        for (int column = tiles.FarBase; column < tiles.FarEnd && copy; column++)
            Copy(view.At(batch, tiles.PositionOf(column), head), view.HeadDim, rows.At(column), rows.Width);
        return rows;
    }

    /// <summary>A row's first value.</summary>
    public readonly float* At(int row) => row < _farBase ? _near + row * _nearStride : _far + (long)(row - _farBase) * Width;

    /// <summary>Values from this row to the next.</summary>
    public readonly nint StrideAt(int row) => row < _farBase ? _nearStride : Width;

    /// <summary>Zeros in rows.</summary>
    public readonly void Clear(int first, int end)
    {
        for (int row = first; row < end; row++)
            new Span<float>(At(row), Width).Clear();
    }

    /// <summary>Puts rows where they belong, if they do not lie there.</summary>
    public readonly void Save(HeadsView view, int batch, int first, int head, int count)
    {
        for (int r = 0; r < count && !_inPlace; r++)
            new ReadOnlySpan<float>(At(r), view.HeadDim).CopyTo(new Span<float>(view.At(batch, first + r, head), view.HeadDim));
    }

    private static void Copy(float* source, int count, float* target, int width)
    {
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
        new Span<float>(target + count, width - count).Clear();
    }
}
