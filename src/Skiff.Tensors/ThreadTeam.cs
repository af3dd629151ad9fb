using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Skiff.Tensors;

/// <summary>
/// Warm threads that run the parts of one operation together with the calling thread. Between runs they spin for some
/// microseconds, then park. A run in steady state allocates nothing. Parts are taken in order by whoever is free, so a
/// thread that the system holds back delays no more than the part it is in; what a part computes must not depend on
/// who runs it.
/// </summary>
public sealed unsafe class ThreadTeam : IDisposable
{
    // Longer than the gap between two kernels of a training step, shorter than a time slice.
    private static readonly long s_spinTicks = Stopwatch.Frequency / 20_000;
    private static readonly Lazy<ThreadTeam> s_default = new(() => new ThreadTeam(s_chosen ?? ThreadsFrom(Environment.GetEnvironmentVariable("SKIFF_THREADS"))));
    private static int? s_chosen;

    private readonly Thread[] _workers;
    private readonly object _gate = new();
    private readonly object _finished = new();
    // With more threads than processors, whoever spins keeps another from working.
    private readonly bool _spins;
    private Shared _shared;
    private delegate*<void*, int, void> _work;
    private void* _state;
    private Action<int>? _action;
    private int _parts;
    private long _runs;
    private int _sleepers;
    private bool _callerWaits;
    private Exception? _error;
    private volatile bool _disposed;

    /// <summary>Starts <paramref name="threads"/> - 1 background threads; the caller of a run is the last one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one thread, or more than 1,024.</exception>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        Threads = threads;
        _spins = threads <= Environment.ProcessorCount;
        _workers = new Thread[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Thread(Work) { IsBackground = true, Name = "Skiff " + (i + 1).ToString(CultureInfo.InvariantCulture) };
            _workers[i].Start();
        }
    }

    /// <summary>The team of the whole process: one thread a processor, or <c>SKIFF_THREADS</c>.</summary>
    /// <exception cref="InvalidInputException"><c>SKIFF_THREADS</c> is no number from 1 to 1,024.</exception>
    public static ThreadTeam Default => s_default.Value;

    /// <summary>Sets the size of <see cref="Default"/>, whatever <c>SKIFF_THREADS</c> says.</summary>
    /// <exception cref="InvalidInputException">No number from 1 to 1,024.</exception>
    /// <exception cref="InvalidOperationException">The team is there already, in another size.</exception>
    internal static void ChooseDefault(int threads, string source)
    {
        s_chosen = ThreadsFrom(threads.ToString(CultureInfo.InvariantCulture), source);
        if (Default.Threads != threads)
            throw new InvalidOperationException($"this process already computes on {Default.Threads} threads, not {threads}");
    }

    /// <summary>Threads that work in a run, the caller included.</summary>
    public int Threads { get; }

    internal int Parked => Volatile.Read(ref _sleepers);

    /// <summary>
    /// Calls <paramref name="work"/> with 0 to <paramref name="parts"/> - 1, each once, and returns when all are done. The
    /// first exception ends the run early and travels to the caller. A run inside a run, or beside one that another
    /// thread started, is done by its caller alone. Pass a kept delegate to allocate nothing.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The team is disposed.</exception>
    public void Run(int parts, Action<int> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        Run(parts, work, null, null);
    }

    /// <summary>The same for a static method; <paramref name="state"/> may lie on the caller's stack.</summary>
    internal void Run(int parts, delegate*<void*, int, void> work, void* state) => Run(parts, null, work, state);

    private void Run(int parts, Action<int>? action, delegate*<void*, int, void> work, void* state)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(parts);
        if (parts <= 1 || _workers.Length == 0 || Interlocked.CompareExchange(ref _shared.Busy, 1, 0) != 0)
        {
            for (int part = 0; part < parts; part++)
            {
                if (action is null)
                    work(state, part);
                else
                    action(part);
            }

            return;
        }

        _action = action;
        _work = work;
        _state = state;
        _parts = parts;
        _error = null;
        _shared.Next = 0;
        Interlocked.Exchange(ref _shared.Open, ++_runs);
        if (Volatile.Read(ref _sleepers) > 0)
            Wake(parts - 1);
        TakeParts();
        // Whoever has not joined by now never will: only those inside are waited for.
        Interlocked.Exchange(ref _shared.Open, 0);
        if (Volatile.Read(ref _shared.Joined) != 0)
            AwaitWorkers();
        Exception? error = _error;
        (_action, _error) = (null, null);
        Volatile.Write(ref _shared.Busy, 0);
        if (error is not null)
            ExceptionDispatchInfo.Throw(error);
    }

    private void TakeParts()
    {
        try
        {
            while (true)
            {
                long part = Interlocked.Increment(ref _shared.Next) - 1;
                if (part >= _parts)
                    return;
                if (_action is null)
                    _work(_state, (int)part);
                else
                    _action((int)part);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _error, e, null);
            Interlocked.Exchange(ref _shared.Next, _parts);
        }
    }

    private void Work()
    {
        long seen = 0;
        while (!_disposed)
        {
            long run = Volatile.Read(ref _shared.Open);
            if (run == 0 || run == seen)
            {
                AwaitRun(seen);
                continue;
            }

            // First join, then look again: a caller that closes its run sees either this thread or no need of it.
            Interlocked.Increment(ref _shared.Joined);
            run = Volatile.Read(ref _shared.Open);
            if (run != 0)
            {
                seen = run;
                TakeParts();
            }

            if (Interlocked.Decrement(ref _shared.Joined) == 0 && Volatile.Read(ref _callerWaits))
            {
                lock (_finished)
                    Monitor.Pulse(_finished);
            }
        }
    }

    private bool Idle(long seen)
    {
        long run = Volatile.Read(ref _shared.Open);
        return (run == 0 || run == seen) && !_disposed;
    }

    private void AwaitRun(long seen)
    {
        long end = Stopwatch.GetTimestamp() + (_spins ? s_spinTicks : 0);
        do
        {
            for (int i = 0; i < 16; i++)
            {
                if (!Idle(seen))
                    return;
                Thread.SpinWait(4);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        lock (_gate)
        {
            Interlocked.Increment(ref _sleepers);
            while (Idle(seen))
                Monitor.Wait(_gate);
            Interlocked.Decrement(ref _sleepers);
        }
    }

    private void Wake(int most)
    {
        lock (_gate)
        {
            for (int i = Math.Min(most, _sleepers); i > 0; i--)
                Monitor.Pulse(_gate);
        }
    }

    private void AwaitWorkers()
    {
        long end = Stopwatch.GetTimestamp() + (_spins ? s_spinTicks : 0);
        do
        {
            for (int i = 0; i < 16; i++)
            {
                if (Volatile.Read(ref _shared.Joined) == 0)
                    return;
                Thread.SpinWait(4);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        lock (_finished)
        {
            Volatile.Write(ref _callerWaits, true);
            Interlocked.MemoryBarrier();
            while (Volatile.Read(ref _shared.Joined) != 0)
                Monitor.Wait(_finished);
            Volatile.Write(ref _callerWaits, false);
        }
    }

    /// <summary>Ends the threads. A run under way is finished by its caller; none may be started afterwards.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        lock (_gate)
            Monitor.PulseAll(_gate);
        foreach (Thread worker in _workers)
        {
            if (worker != Thread.CurrentThread)
                worker.Join();
        }
    }

    internal static int ThreadsFrom(string? setting, string source = "SKIFF_THREADS")
    {
        if (string.IsNullOrEmpty(setting))
            return Math.Min(Environment.ProcessorCount, 1024);
        if (!int.TryParse(setting, NumberStyles.None, CultureInfo.InvariantCulture, out int threads) || threads is < 1 or > 1024)
            throw new InvalidInputException(source, "value", $"'{setting}' is no number of threads: give 1 to 1024");
        return threads;
    }

    // Words that different threads write lie on cache lines of their own.
    [StructLayout(LayoutKind.Explicit, Size = 640)]
    private struct Shared
    {
        [FieldOffset(128)]
        public long Open;

        [FieldOffset(256)]
        public long Next;

        [FieldOffset(384)]
        public int Joined;

        [FieldOffset(512)]
        public int Busy;
    }
}
