using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Pages of one size, cut from pieces large enough for huge pages of the system, as a page of a cache alone would lie on many small ones. A
/// piece is freed with its last page, but for one.
/// </summary>
/// <param name="pageBytes">A multiple of 64.</param>
internal sealed unsafe class PagePool(long pageBytes)
{
    // Untouched memory of a piece takes nothing.
    private const long PieceBytes = 8 << 20;

    private readonly List<Piece> _pieces = [];

    /// <summary>A page with anything in it, on a 64-byte border.</summary>
    /// <exception cref="OutOfMemoryException">There is none.</exception>
    public byte* Take()
    {
        lock (_pieces)
        {
            // The last ones are the most likely to have room.
            int at = _pieces.FindLastIndex(piece => piece.Free.Count > 0);
            if (at < 0)
            {
                at = _pieces.Count;
                _pieces.Add(new Piece(pageBytes, (int)Math.Max(1, PieceBytes / pageBytes)));
            }

            return (byte*)_pieces[at].Free.Pop();
        }
    }

    /// <summary>Gives a page back.</summary>
    public void Give(byte* page)
    {
        lock (_pieces)
        {
            int at = 0;
            while (!_pieces[at].Holds(page))
                at++;
            _pieces[at].Free.Push((nint)page);
            // One piece without a page in use stays: a sequence that gives its only page back and takes the next one would else ask the system each time.
            int free = 0;
            foreach (Piece piece in _pieces)
                free += piece.IsFree ? 1 : 0;
            if (_pieces[at].IsFree && free > 1)
            {
                _pieces[at].Memory.Free();
                _pieces.RemoveAt(at);
            }
        }
    }

    private sealed class Piece
    {
        public Piece(long pageBytes, int pages)
        {
            (Pages, Memory) = (pages, new NativeBuffer(pageBytes * pages, clear: false));
            Free = new Stack<nint>(pages);
            // Those in front first.
            for (int page = pages - 1; page >= 0; page--)
                Free.Push((nint)(Memory.Start + page * pageBytes));
        }

        public int Pages { get; }

        public NativeBuffer Memory { get; }

        public Stack<nint> Free { get; }

        public bool IsFree => Free.Count == Pages;

        public bool Holds(byte* page) => page >= Memory.Start && page < Memory.Start + Memory.Length;
    }
}
