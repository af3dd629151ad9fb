using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// The native memory that an engine's sequences hold, counted: what is taken and not given back is seen. A page may have several owners, who
/// only read it.
/// </summary>
internal sealed unsafe class CacheMemory
{
    // In front of each page, so that it begins on a 64-byte border.
    private const int OwnersBytes = 64;

    private readonly ConcurrentDictionary<long, PagePool> _pools = [];
    private long _bytes;
    private int _blocks;

    /// <summary>Bytes taken.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Pieces taken.</summary>
    public int Blocks => Volatile.Read(ref _blocks);

    /// <summary>Bytes that a page of some lanes takes.</summary>
    public static long BytesOf(KeyValueShape shape, int lanes = KeyValueTiles.Length) => (shape.PageBytesOf(lanes) + OwnersBytes + OwnersBytes - 1) / OwnersBytes * OwnersBytes;

    /// <summary>A page of one owner, with anything in it.</summary>
    /// <exception cref="OutOfMemoryException">There is none.</exception>
    public byte* TakePage(KeyValueShape shape, int lanes = KeyValueTiles.Length)
    {
        long bytes = BytesOf(shape, lanes);
        byte* page = (lanes == KeyValueTiles.Length ? PoolOf(bytes).Take() : (byte*)NativeMemory.AlignedAlloc((nuint)bytes, OwnersBytes)) + OwnersBytes;
        Owners(page) = 1;
        Count(bytes, 1);
        return page;
    }

    /// <summary>One owner more.</summary>
    public static void Share(byte* page) => Interlocked.Increment(ref Owners(page));

    /// <summary>Whether others read the page.</summary>
    public static bool IsShared(byte* page) => Volatile.Read(ref Owners(page)) > 1;

    /// <summary>One owner less; the last one's page is freed.</summary>
    public void GivePage(byte* page, KeyValueShape shape, int lanes = KeyValueTiles.Length)
    {
        if (Interlocked.Decrement(ref Owners(page)) > 0)
            return;
        long bytes = BytesOf(shape, lanes);
        if (lanes == KeyValueTiles.Length)
            PoolOf(bytes).Give(page - OwnersBytes);
        else
            NativeMemory.AlignedFree(page - OwnersBytes);
        Count(-bytes, -1);
    }

    /// <summary>A piece of zeros.</summary>
    public NativeBuffer Take(long bytes)
    {
        NativeBuffer buffer = new(bytes, clear: true);
        Count(buffer.Length, 1);
        return buffer;
    }

    /// <summary>Frees a piece.</summary>
    public void Give(NativeBuffer buffer)
    {
        Count(-buffer.Length, -1);
        buffer.Free();
    }

    // Whole pages alone: a list's last page is small, and changes its size.
    private PagePool PoolOf(long pageBytes) => _pools.GetOrAdd(pageBytes, static bytes => new PagePool(bytes));

    private static ref int Owners(byte* page) => ref *(int*)(page - OwnersBytes);

    private void Count(long bytes, int blocks)
    {
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Add(ref _blocks, blocks);
    }
}
