using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What a sequence has left behind in an engine: keys and values, and recurrent states. Dispose gives its memory back.</summary>
public sealed unsafe class InferenceSequence : IDisposable
{
    private readonly CacheMemory _memory;
    private readonly KvCache?[] _caches;
    private readonly long _stateValues, _stateBytes;
    private readonly NativeBuffer? _states;
    private bool _disposed;

    internal InferenceSequence(InferenceEngine engine, EnginePlan plan, int plannedLength)
    {
        ModelConfig config = engine.Config;
        (Engine, PlannedLength, _memory) = (engine, plannedLength, plan.Memory);
        Rotations = [.. plan.Ropes.Select(rope => rope.Frequencies(plannedLength))];
        _caches = [.. config.Layers.Select(layer => plan.CacheOf(layer, engine.MaxRows))];
        foreach (KvCache? cache in _caches)
            cache?.Reserve(Math.Min(plannedLength, engine.MaxPositions), 0);
        (_stateValues, _stateBytes) = (plan.StateValues, plan.StateBytes);
        // All zero before the first position.
        _states = _stateBytes > 0 ? _memory.Take(_stateBytes, clear: true) : null;
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
        foreach (KvCache? cache in _caches)
            cache?.Reserve(Position + tokens, Position);
    }

    internal KeyValueTiles TilesOf(int block) => _caches[block]!.Tiles;

    /// <summary>The taps of a recurrent block, [K - 1, W], and behind them h, [W].</summary>
    internal float* StateOf(int recurrentBlock) => (float*)_states!.Start + recurrentBlock * _stateValues;

    /// <summary>Cuts it back to its first positions; what came after is written anew before it is seen.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has fewer positions.</exception>
    /// <exception cref="InvalidOperationException">A recurrent state or a window forgets what it would take.</exception>
    public void Rewind(int position)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Position);
        if (!CanRewind)
            throw new InvalidOperationException("a sequence with recurrent states or windows cannot be cut back");
        Position = position;
    }

    /// <summary>Whether every block keeps all positions.</summary>
    internal bool CanRewind => _states is null && _caches.All(cache => cache is FullCache);

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
