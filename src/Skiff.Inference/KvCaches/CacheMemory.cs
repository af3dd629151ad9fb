using System.Collections.Concurrent;
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

    /// <summary>Bytes that a page takes.</summary>
    public static long BytesOf(KeyValueShape shape) => shape.PageBytes + OwnersBytes;

    /// <summary>A page of one owner, with anything in it.</summary>
    /// <exception cref="OutOfMemoryException">There is none.</exception>
    public byte* TakePage(KeyValueShape shape)
    {
        byte* page = PoolOf(shape).Take() + OwnersBytes;
        Owners(page) = 1;
        Count(BytesOf(shape), 1);
        return page;
    }

    /// <summary>One owner more.</summary>
    public static void Share(byte* page) => Interlocked.Increment(ref Owners(page));

    /// <summary>Whether others read the page.</summary>
    public static bool IsShared(byte* page) => Volatile.Read(ref Owners(page)) > 1;

    /// <summary>One owner less; the last one's page is freed.</summary>
    public void GivePage(byte* page, KeyValueShape shape)
    {
        if (Interlocked.Decrement(ref Owners(page)) > 0)
            return;
        PoolOf(shape).Give(page - OwnersBytes);
        Count(-BytesOf(shape), -1);
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

    private PagePool PoolOf(KeyValueShape shape) => _pools.GetOrAdd(BytesOf(shape), static bytes => new PagePool(bytes));

    private static ref int Owners(byte* page) => ref *(int*)(page - OwnersBytes);

    private void Count(long bytes, int blocks)
    {
        Interlocked.Add(ref _bytes, bytes);
        Interlocked.Add(ref _blocks, blocks);
    }
}
