using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What a sequence has left behind in an engine: keys and values, and recurrent states. Dispose gives its memory back.</summary>
public sealed unsafe class InferenceSequence : IDisposable
{
    private readonly CacheMemory _memory;
    private readonly KvCache?[] _caches;
    private readonly long _stateValues, _stateBytes;
    private readonly NativeBuffer? _states;
    // What windows have let go of can be told from here on.
    private int _settled;
    private bool _disposed;

    internal InferenceSequence(InferenceEngine engine, int plannedLength)
    {
        EnginePlan plan = engine.Plan;
        (Engine, PlannedLength, _memory) = (engine, plannedLength, plan.Memory);
        Rotations = [.. plan.Ropes.Select(rope => rope.Frequencies(plannedLength))];
        _caches = [.. engine.Config.Layers.Select(layer => plan.CacheOf(layer, engine.MaxRows))];
        (_stateValues, _stateBytes) = (plan.StateValues, plan.StateBytes);
        // All zero before the first position.
        _states = _stateBytes > 0 ? _memory.Take(_stateBytes) : null;
    }

    /// <summary>Number of positions processed.</summary>
    public int Position { get; internal set; }

    /// <summary>Bytes it takes now.</summary>
    public long ByteLength => _caches.Sum(cache => cache?.ByteLength ?? 0) + (_states is null || _disposed ? 0 : _states.Length);

    internal InferenceEngine Engine { get; }

    /// <summary>What its frequencies were chosen by.</summary>
    internal int PlannedLength { get; }

    /// <summary>The states of all recurrent blocks.</summary>
    internal Span<byte> States => _states is null ? [] : new Span<byte>(_states.Start, checked((int)_stateBytes));

    /// <summary>Angles a position and factor, for each of the model's rotations.</summary>
    internal (double[] Frequencies, double Scale)[] Rotations { get; }

    /// <summary>The pass that it is in: a sequence may not be in one twice.</summary>
    internal long Pass { get; set; }

    internal void CheckUsable(InferenceEngine engine)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Engine != engine)
            throw new ArgumentException("the sequence belongs to another engine");
    }

    /// <summary>Makes room for further positions.</summary>
    internal void Reserve(int tokens)
    {
        _settled = Position;
        foreach (KvCache? cache in _caches)
            cache?.Reserve(Position + tokens, Position);
    }

    /// <summary>Makes an empty one ready to be filled from a file.</summary>
    internal void Restore(int position)
    {
        foreach (KvCache? cache in _caches)
            cache?.Restore(position);
        Position = _settled = position;
    }

    internal KeyValueTiles TilesOf(int block) => _caches[block]!.Tiles;

    /// <summary>The taps of a recurrent block, [K - 1, W], and behind them h, [W].</summary>
    internal float* StateOf(int recurrentBlock) => (float*)_states!.Start + recurrentBlock * _stateValues;

    /// <summary>
    /// A second sequence that goes on from a position of this one. Keys and values are shared, page by page, until either writes into a
    /// page, so a prompt that many begin with is computed and held once.
    /// </summary>
    /// <param name="position">Where it goes on; at the end when null.</param>
    /// <param name="plannedLength">Positions that it is going to have; this one's plan when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer positions.</exception>
    /// <exception cref="InvalidOperationException">A recurrent state or a window has forgotten what it would take, or another planned length has other frequencies.</exception>
    public InferenceSequence Fork(int? position = null, int? plannedLength = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int at = position ?? Position, planned = plannedLength ?? PlannedLength;
        CheckPosition(at);
        if (!TurnsAlike(planned))
            throw new InvalidOperationException($"a sequence planned for {planned} positions turns its keys by other angles than one planned for {PlannedLength}");
        InferenceSequence fork = new(Engine, planned);
        for (int block = 0; block < _caches.Length; block++)
            fork._caches[block]?.Share(_caches[block]!, at);
        States.CopyTo(fork.States);
        fork.Position = fork._settled = at;
        return fork;
    }

    /// <summary>Whether <see cref="Fork"/> can do it.</summary>
    internal bool CanFork(int position, int plannedLength) => (position == Position || CanRewind(position)) && TurnsAlike(plannedLength);

    // LongRoPE and dynamic scaling choose by the length.
    private bool TurnsAlike(int plannedLength) => Engine.Plan.Ropes.Zip(Rotations).All(pair =>
        pair.First.Frequencies(plannedLength) is var (frequencies, scale) && scale == pair.Second.Scale && frequencies.AsSpan().SequenceEqual(pair.Second.Frequencies));

    /// <summary>Cuts it back to its first positions; what came after is written anew before it is seen.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has fewer positions.</exception>
    /// <exception cref="InvalidOperationException">A recurrent state or a window has forgotten what it would take.</exception>
    public void Rewind(int position)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckPosition(position);
        Position = position;
    }

    private void CheckPosition(int position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Position);
        if (position < Position && !CanRewind(position))
            throw new InvalidOperationException("a sequence with recurrent states cannot be cut back, one with windows no further than to before its last pass");
    }

    /// <summary>Whether it can be cut back to a position: recurrent states never can, windows keep what the last pass began with.</summary>
    internal bool CanRewind(int position) => _states is null && (position >= _settled || KeepsAll);

    /// <summary>Whether every block keeps all positions.</summary>
    internal bool KeepsAll => _states is null && _caches.All(cache => cache is FullCache);

    /// <summary>Gives its memory back.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (KvCache? cache in _caches)
            cache?.Dispose();
        if (_states is { } states)
            _memory.Give(states);
    }
}
