using System.Runtime.CompilerServices;

namespace Skiff.Models;

/// <summary>The scratch memory of one running encode, reused by the next one. Used by one thread at a time.</summary>
internal sealed class Workspace
{
    // A book-sized text must not pin its buffers for good.
    private const int MostKept = 1 << 20;

    /// <summary>The ids found so far.</summary>
    public int[] Ids = new int[64];

    /// <summary>How many of <see cref="Ids"/> are set.</summary>
    public int Count;

    /// <summary>The segment in UTF-8, for the byte-level path.</summary>
    public byte[] Utf8 = [];

    /// <summary>Where the ids come from, if somebody asks.</summary>
    public TokenTrace? Trace;

    /// <summary>Ids of pieces seen before.</summary>
    public PieceCache Cache { get; } = new();

    /// <summary>Scratch of the merge loop.</summary>
    public BpeMerger Merger { get; private set; } = new();

    /// <summary>Scratch of the pre-tokenizers.</summary>
    public PieceList Pieces { get; private set; } = new();

    /// <summary>Appends one id.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(int id)
    {
        if (Count == Ids.Length)
            Reserve(1);
        Ids[Count++] = id;
    }

    /// <summary>Appends a few ids.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(ReadOnlySpan<int> ids)
    {
        if (ids.Length > Ids.Length - Count)
            Reserve(ids.Length);
        int count = Count;
        // Nearly every piece is one id: no call to a copy routine.
        for (int i = 0; i < ids.Length; i++)
            Ids[count + i] = ids[i];
        Count = count + ids.Length;
    }

    /// <summary>Makes room for <paramref name="more"/> ids behind <see cref="Count"/> and returns it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public Span<int> Reserve(int more)
    {
        if (Ids.Length - Count < more)
            Array.Resize(ref Ids, (int)Math.Min(Array.MaxLength, Math.Max(Ids.Length * 2L, (long)Count + more)));
        return Ids.AsSpan(Count);
    }

    /// <summary>Readies the workspace for the next text.</summary>
    public void Reset()
    {
        Count = 0;
        Trace = null;
        if (Ids.Length > MostKept)
            Ids = new int[64];
        if (Utf8.Length > MostKept)
            Utf8 = [];
        if (Merger.Capacity > MostKept)
            Merger = new BpeMerger();
        if (Pieces.Capacity > MostKept)
            Pieces = new PieceList();
    }
}
