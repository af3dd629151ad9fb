namespace Skiff.Tensors;

/// <summary>
/// The operations of a model's forward pass, recorded once for a batch of a fixed shape, and run forward and backward as often as
/// wanted. All memory is planned when recording ends: <see cref="ByteLength"/> is known before it is taken, and a run takes none.
/// Blocks (<see cref="BeginBlock"/>) may be recomputed in the backward pass instead of being kept (Chen et al., arXiv 1604.06174).
/// Results do not depend on the number of threads, nor on whether blocks are recomputed.
/// </summary>
public sealed unsafe partial class Tape : IDisposable
{
    private readonly List<(Operation Operation, int Block)> _operations = [];
    private readonly bool _recompute;
    private readonly ThreadTeam _team;
    private List<(Operation Operation, bool Backward)> _schedule = [];
    private NativeBuffer? _memory;
    private TapePlan? _plan;
    private int _block = -1, _blocks;

    /// <summary>An empty tape.</summary>
    /// <param name="recompute">Keep only what enters a block; compute the rest again when its gradients are due.</param>
    /// <param name="team">Threads; the process's own when null.</param>
    public Tape(bool recompute = false, ThreadTeam? team = null)
    {
        _recompute = recompute;
        _team = team ?? ThreadTeam.Default;
    }

    /// <summary>Bytes of activations, gradients of activations and scratch room, once planned.</summary>
    public long ByteLength => sizeof(float) * (_plan?.Count ?? throw new InvalidOperationException("the tape is not planned"));

    /// <summary>What is recorded from here on is a block.</summary>
    public void BeginBlock() => _block = _blocks++;

    /// <summary>Ends a block.</summary>
    public void EndBlock() => _block = -1;

    /// <summary>Ends the recording and lays out the memory, without taking it.</summary>
    public void Plan()
    {
        List<OperationMemory> memories = [];
        foreach ((Operation operation, _) in _operations)
        {
            OperationMemory memory = new();
            operation.Declare(memory);
            memories.Add(memory);
        }

        ResolveGradients(memories);
        _plan = new TapePlan();
        _schedule = [];
        for (int i = 0; i < memories.Count; i++)
            Add(i, backward: false);
        for (int i = memories.Count - 1; i >= 0; i--)
        {
            // At the last operation of a block all of it runs again, but for what only the forward pass needed.
            if (_recompute && _operations[i].Block is >= 0 and int block && (i == memories.Count - 1 || _operations[i + 1].Block != block))
            {
                foreach (int again in Recomputed(memories, i))
                    Add(again, backward: false);
            }

            if (memories[i].Backward.Count > 0)
                Add(i, backward: true);
        }

        _plan.Place();

        void Add(int index, bool backward)
        {
            _plan!.Touch(_schedule.Count, backward ? memories[index].Backward : memories[index].Forward);
            _schedule.Add((_operations[index].Operation, backward));
        }
    }

    // Whoever writes a gradient first overwrites what lies there, all others add to it.
    private static void ResolveGradients(List<OperationMemory> memories)
    {
        HashSet<TapeValue> written = [];
        HashSet<TapeBuffer> buffers = [];
        foreach (GradientTarget target in memories.SelectMany(memory => memory.ForwardTargets))
            Write(target);
        for (int i = memories.Count - 1; i >= 0; i--)
        {
            if (memories[i].Gradients.Find(gradient => !buffers.Contains(gradient)) is { } missing)
                throw new InvalidOperationException($"nothing that follows gives {missing.Name}");
            foreach (GradientTarget target in memories[i].Targets)
                Write(target);
        }

        void Write(GradientTarget target)
        {
            target.Resolve(!written.Add(target.Value));
            buffers.Add(target.Value.GradientBuffer!);
        }
    }

    // The operations of the block that ends at an index whose results its backward pass still needs, in order.
    private List<int> Recomputed(List<OperationMemory> memories, int last)
    {
        int block = _operations[last].Block, first = last;
        while (first > 0 && _operations[first - 1].Block == block)
            first--;
        HashSet<TapeBuffer> needed = [];
        for (int i = first; i <= last; i++)
            needed.UnionWith(memories[i].Backward.Where(use => !use.Writes).Select(use => use.Buffer));
        List<int> result = [];
        for (int i = last; i >= first; i--)
        {
            if (!memories[i].Forward.Any(use => needed.Contains(use.Buffer) && (use.Writes || memories[i].Updated.Contains(use.Buffer))))
                continue;
            result.Add(i);
            needed.UnionWith(memories[i].Forward.Select(use => use.Buffer));
        }

        result.Reverse();
        return result;
    }

    /// <summary>Runs all operations forward; losses leave their gradients.</summary>
    public void Forward()
    {
        Allocate();
        for (int i = 0; i < _operations.Count; i++)
            _schedule[i].Operation.Forward(_team);
    }

    /// <summary>Runs backward what <see cref="Forward"/> ran: parameters' gradients grow.</summary>
    public void Backward()
    {
        for (int i = _operations.Count; i < _schedule.Count; i++)
        {
            if (_schedule[i].Backward)
                _schedule[i].Operation.Backward(_team);
            else
                _schedule[i].Operation.Forward(_team);
        }

        GC.KeepAlive(_memory);
    }

    /// <summary>Gives the memory back at once rather than when nobody reaches the tape any more.</summary>
    public void Dispose()
    {
        _memory?.Free();
        _memory = null;
    }

    /// <summary>A value of this batch's shape that an operation writes.</summary>
    internal static TapeValue Value(string name, int rows, int columns, bool gradient)
    {
        long count = (long)rows * columns;
        return new TapeValue(new TapeBuffer(name, count), gradient ? new TapeBuffer($"d {name}", count) : null, rows, columns);
    }

    internal T Record<T>(T operation)
        where T : Operation
    {
        if (_plan is not null)
            throw new InvalidOperationException("the tape is planned already");
        _operations.Add((operation, _block));
        return operation;
    }

    private void Allocate()
    {
        if (_memory is not null)
            return;
        if (_plan is null)
            Plan();
        _memory = new NativeBuffer(ByteLength, clear: false);
        foreach ((TapeBuffer buffer, long place) in _plan!.Places)
            buffer.Data = (float*)_memory.Start + place;
    }
}
