using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// What memory can deliver at most: a buffer far larger than the caches, read from begin to end by all threads of a team, each along
/// several streams, on huge pages where the system gives them.
/// </summary>
public sealed unsafe class MachineBandwidth : IDisposable
{
    private const int Streams = 4;

    // Many parts a thread: whoever is held back delays the end by little. Long enough that taking one costs nothing.
    private const long PartBytes = 4 << 20;

    private readonly NativeBuffer _buffer;
    private readonly Action<int> _part;
    private long _seen;

    /// <summary>Takes the buffer and writes to every page of it.</summary>
    /// <param name="bytes">Its size: 1 GiB leaves no cache anything to keep. Rounded down to whole 4 MiB, of which one is the least.</param>
    public MachineBandwidth(long bytes = 1L << 30)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, PartBytes);
        Bytes = bytes / PartBytes * PartBytes;
        _buffer = new NativeBuffer(Bytes, clear: true);
        _part = Read;
    }

    /// <summary>Size of the buffer, all of it in memory.</summary>
    public long Bytes { get; }

    /// <summary>Bytes a second on all threads of a team together, measured now in one pass: a fiftieth of a second at 50 GB/s.</summary>
    /// <exception cref="ObjectDisposedException">The buffer is gone.</exception>
    public double Measure(ThreadTeam? team = null)
    {
        ObjectDisposedException.ThrowIf(_buffer.Start is null, this);
        team ??= ThreadTeam.Default;
        long start = Stopwatch.GetTimestamp();
        team.Run((int)(Bytes / PartBytes), _part);
        return Bytes / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose() => _buffer.Free();

    private void Read(int part)
    {
        byte* start = _buffer.Start + part * PartBytes;
        // What nobody could ask for would not be read.
        Interlocked.Add(ref _seen, Vector512.IsHardwareAccelerated ? Wide(start) : Narrow(start));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Wide(byte* start)
    {
        const long Stride = PartBytes / Streams;
        Vector512<long> a = default, b = default, c = default, d = default;
        for (byte* end = start + Stride; start < end; start += 64)
        {
            a ^= Vector512.Load((long*)start);
            b ^= Vector512.Load((long*)(start + Stride));
            c ^= Vector512.Load((long*)(start + 2 * Stride));
            d ^= Vector512.Load((long*)(start + 3 * Stride));
        }

        return Vector512.Sum(a ^ b ^ c ^ d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Narrow(byte* start)
    {
        const long Stride = PartBytes / Streams;
        Vector128<long> a = default, b = default, c = default, d = default;
        for (byte* end = start + Stride; start < end; start += 16)
        {
            a ^= Vector128.Load((long*)start);
            b ^= Vector128.Load((long*)(start + Stride));
            c ^= Vector128.Load((long*)(start + 2 * Stride));
            d ^= Vector128.Load((long*)(start + 3 * Stride));
        }

        return Vector128.Sum(a ^ b ^ c ^ d);
    }
}
