namespace Skiff.Tensors;

/// <summary>
/// Memory for the matrices of a model, one behind the other in pieces large enough for huge pages: small matrices alone would lie on small
/// ones. A piece is freed when the last matrix in it is gone.
/// </summary>
/// <param name="pieceBytes">A piece's size; a matrix that is larger has its own. Untouched pages of a piece take nothing.</param>
internal sealed unsafe class PanelArena(long pieceBytes)
{
    /// <summary>The size for a model's matrices.</summary>
    public const long ManyPanels = 64 << 20;

    private NativeBuffer? _piece;
    private long _used;

    /// <summary>Room for so many bytes, on a 64-byte border, and the piece that must be kept alive for it.</summary>
    public byte* Take(long bytes, out NativeBuffer piece)
    {
        if (_piece is null || _used + bytes > _piece.Length)
            (_piece, _used) = (new NativeBuffer(Math.Max(bytes, pieceBytes), clear: false), 0);
        piece = _piece;
        byte* start = _piece.Start + _used;
        _used += (bytes + 63) / 64 * 64;
        return start;
    }
}
