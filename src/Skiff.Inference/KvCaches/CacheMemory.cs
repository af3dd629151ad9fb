using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>The native memory that an engine's sequences hold, counted: what is taken and not given back is seen.</summary>
internal sealed class CacheMemory
{
    private long _bytes;
    private int _blocks;

    /// <summary>Bytes taken.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Pieces taken.</summary>
    public int Blocks => Volatile.Read(ref _blocks);

    /// <summary>A piece with anything in it, or zeros.</summary>
    public NativeBuffer Take(long bytes, bool clear = false)
    {
        NativeBuffer buffer = new(bytes, clear);
        Interlocked.Add(ref _bytes, buffer.Length);
        Interlocked.Increment(ref _blocks);
        return buffer;
    }

    /// <summary>Frees a piece.</summary>
    public void Give(NativeBuffer buffer)
    {
        Interlocked.Add(ref _bytes, -buffer.Length);
        Interlocked.Decrement(ref _blocks);
        buffer.Free();
    }
}
