using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Skiff.Models;

/// <summary>
/// The ids of pieces seen before. Bounded, one slot a hash: a new piece displaces the old one. A piece of up to 31 bytes
/// is one vector (its length in the last byte), and key and ids share one cache line. Used by one thread at a time.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Longest piece kept, in bytes.</summary>
    public const int LongestPiece = 31;

    /// <summary>Most ids kept for a piece.</summary>
    public const int MostIds = 7;

    // 64 bytes an entry: 16 KiB at first, 4 MiB at most.
    private const int FewestBits = 8;
    private const int MostBits = 16;

    private static readonly Vector256<byte>[] s_masks = BuildMasks();

    private Entry[] _entries = new Entry[1 << FewestBits];
    private int _shift = 64 - FewestBits;
    private int _added;

    /// <summary>The key of a piece that has 32 readable bytes from its start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Key(ref readonly byte start, int length) =>
        (Vector256.LoadUnsafe(in start) & s_masks[length]).WithElement(31, (byte)length);

    /// <summary>The key of a piece with nothing readable behind it.</summary>
    public static Vector256<byte> Key(ReadOnlySpan<byte> piece)
    {
        Vector256<byte> key = default;
        piece.CopyTo(MemoryMarshal.AsBytes(new Span<Vector256<byte>>(ref key)));
        return key.WithElement(31, (byte)piece.Length);
    }

    /// <summary>The ids kept for a key; empty where there are none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<int> Find(Vector256<byte> key)
    {
        ref Entry entry = ref _entries[Slot(key)];
        return entry.Key == key ? MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<Ids, int>(ref entry.Ids), entry.Count) : default;
    }

    /// <summary>Keeps the ids of a piece, if there are few enough.</summary>
    public void Add(Vector256<byte> key, ReadOnlySpan<int> ids)
    {
        if (ids.Length is 0 or > MostIds)
            return;
        if (++_added > _entries.Length / 2 && _entries.Length < 1 << MostBits)
            Grow();
        ref Entry entry = ref _entries[Slot(key)];
        entry.Key = key;
        entry.Count = ids.Length;
        ids.CopyTo(entry.Ids);
    }

    private void Grow()
    {
        Entry[] old = _entries;
        _entries = new Entry[old.Length * 4];
        _shift -= 2;
        foreach (Entry entry in old)
        {
            if (entry.Count > 0)
                _entries[Slot(entry.Key)] = entry;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Slot(Vector256<byte> key)
    {
        Vector256<ulong> words = key.AsUInt64();
        ulong hash = (words[0] ^ BitOperations.RotateLeft(words[2], 21)) * 0x9E3779B97F4A7C15;
        hash ^= (words[1] ^ BitOperations.RotateLeft(words[3], 37)) * 0xC2B2AE3D27D4EB4F;
        return (int)(((hash ^ (hash >> 29)) * 0x9E3779B97F4A7C15) >> _shift);
    }

    private static Vector256<byte>[] BuildMasks()
    {
        Vector256<byte>[] masks = new Vector256<byte>[LongestPiece + 1];
        for (int length = 0; length < masks.Length; length++)
            masks[length] = Vector256.LessThan(Vector256<byte>.Indices, Vector256.Create((byte)length));
        return masks;
    }

    [InlineArray(MostIds)]
    private struct Ids
    {
        private int _first;
    }

    private struct Entry
    {
        public Vector256<byte> Key;
        public int Count;
        public Ids Ids;
    }
}
