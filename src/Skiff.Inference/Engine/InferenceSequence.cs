using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What a sequence has left behind in an engine: keys and values, and recurrent states. Dispose gives its memory back.</summary>
public sealed unsafe class InferenceSequence : IDisposable
{
    private readonly CacheMemory _memory;
    private readonly KvCache?[] _caches;
    private readonly long _stateValues, _stateBytes;
    private readonly NativeBuffer? _states;
    private readonly SequenceSight _sight;
    // Of each rule, the positions of its list where scores need them.
    private readonly int[][] _farPositions;
    // What was let go of can be told from here on.
    private int _settled;
    private bool _disposed;

    internal InferenceSequence(InferenceEngine engine, int plannedLength)
    {
        EnginePlan plan = engine.Plan;
        (Engine, PlannedLength, _memory) = (engine, plannedLength, plan.Memory);
        Rotations = [.. plan.Ropes.Select(rope => rope.Frequencies(plannedLength))];
        _caches = [.. engine.Config.Layers.Select(layer => plan.CacheOf(layer))];
        _sight = new SequenceSight(plan);
        _farPositions = [.. plan.Rules.Select(_ => Array.Empty<int>())];
        (_stateValues, _stateBytes) = (plan.StateValues, plan.StateBytes);
        // All zero before the first position.
        _states = _stateBytes > 0 ? _memory.Take(_stateBytes) : null;
    }

    /// <summary>Number of positions processed.</summary>
    public int Position { get; internal set; }

    /// <summary>Bytes it takes now, pages shared with others counted in full.</summary>
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

    /// <summary>Takes room for a whole sequence where every position stays.</summary>
    internal void Prepare(int positions)
    {
        for (int block = 0; block < _caches.Length && positions > 0; block++)
        {
            if (SightOf(block) is null)
                _caches[block]?.Reserve(new CacheNeed(positions, Position));
            else
                _caches[block]?.Expect(positions);
        }
    }

    /// <summary>Looks what the rows of a pass see, before there is room for them.</summary>
    /// <param name="tokens">The tokens of the pass.</param>
    /// <param name="sequence">Its number in the pass.</param>
    /// <param name="row">Its first row.</param>
    /// <param name="sights">What is seen, by rule.</param>
    internal void See(ReadOnlySpan<int> tokens, int sequence, int row, RowSight[] sights)
    {
        _sight.Settle();
        _settled = Position;
        for (int rule = 0; rule < sights.Length; rule++)
            sights[rule].Begin(sequence, _sight[rule]);

        for (int i = 0; i < tokens.Length && !_sight.SeesAll; i++)
        {
            _sight.Step(tokens[i]);
            for (int rule = 0; rule < sights.Length; rule++)
            {
                if (_sight[rule] is not { } walk)
                    continue;
                sights[rule].Add(sequence, row + i, walk);
                Place(rule, walk);
            }
        }
    }

    /// <summary>As if nothing of the pass had been seen.</summary>
    internal void Unsee() => _sight.Rewind(0);

    /// <summary>Makes room for what <see cref="See"/> has seen.</summary>
    internal void Reserve(int tokens)
    {
        for (int block = 0; block < _caches.Length; block++)
            _caches[block]?.Reserve(NeedOf(block, Position + tokens));
    }

    /// <summary>
    /// Gives back what no later position sees. Until the next pass it cannot be cut back; a pass would do the same as it begins.
    /// </summary>
    public void Trim()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _sight.Settle();
        _settled = Position;
        for (int block = 0; block < _caches.Length; block++)
            _caches[block]?.Trim(NeedOf(block, Position));
    }

    /// <summary>Of all positions so far only some stay: a list of its own for each key-value head, of one length for all.</summary>
    /// <param name="kept">[blocks][heads][entries], positions.</param>
    /// <exception cref="InvalidOperationException">It does not see all positions, or its scores need to know where they stood.</exception>
    internal void Keep(int[][][] kept)
    {
        if (!KeepsAll || Engine.Plan.HasBiases)
            throw new InvalidOperationException("only a sequence that keeps all its positions, without linear biases, can be made to keep some");
        for (int block = 0; block < _caches.Length; block++)
        {
            KvCache cache = _caches[block]!;
            KeyValueShape shape = Engine.Plan.ShapeOf(Engine.Config.Layers[block]);
            KeyValueTiles near = cache.Near, far = cache.Compact(kept[block][0].Length);
            for (int head = 0; head < shape.Heads; head++)
            {
                for (int i = 0; i < kept[block][head].Length; i++)
                {
                    int from = kept[block][head][i];
                    CacheRows.Copy(shape, head, near[from / KeyValueTiles.Length], from % KeyValueTiles.Length, far[i / KeyValueTiles.Length], i % KeyValueTiles.Length);
                }
            }
        }

        IsCompressed = true;
        _sight.Keep(Position, kept[0][0].Length);
        Trim();
    }

    /// <summary>Whether its first positions are a choice that its tokens do not tell.</summary>
    internal bool IsCompressed { get; private set; }

    /// <summary>Stands behind tokens that were read elsewhere, with nothing in its caches yet.</summary>
    internal void Resume(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            _sight.Step(token);
            for (int rule = 0; rule < _farPositions.Length; rule++)
            {
                if (_sight[rule] is { } walk)
                    Place(rule, walk);
            }
        }

        _sight.Settle();
        Position = _settled = tokens.Length;
    }

    /// <summary>Takes the tiles that the next position sees, to be filled from a file.</summary>
    /// <param name="farEntries">Entries that each block's list is laid out for.</param>
    internal void Restore(ReadOnlySpan<int> farEntries)
    {
        for (int block = 0; block < _caches.Length; block++)
            _caches[block]?.Restore(NeedOf(block, Position), farEntries[block]);
    }

    internal KvCache CacheOf(int block) => _caches[block]!;

    /// <summary>What a block's next row sees; null where that is everything.</summary>
    internal VisibilityWalk? SightOf(int block) => _sight[Engine.Plan.RuleOf(block)];

    /// <summary>The positions of a rule's list, pinned; empty unless scores need them.</summary>
    internal int[] FarPositions(int rule) => _farPositions[rule];

    // From where the last pass began on.
    private CacheNeed NeedOf(int block, int positions)
    {
        int rule = Engine.Plan.RuleOf(block);
        if (_sight[rule] is not { } walk)
            return new CacheNeed(positions, _settled);
        VisibilityWalk settled = _sight.Settled(rule);
        return new CacheNeed(positions, _settled, settled.NextNear, settled.NextFar, settled.FarCount, walk.FarCount);
    }

    private void Place(int rule, VisibilityWalk walk)
    {
        if (!Engine.Plan.HasBiases || walk.Added.Count == 0)
            return;
        if (walk.FarCount > _farPositions[rule].Length)
            _farPositions[rule] = PinnedArray.Grown(_farPositions[rule], walk.FarCount);

        for (int i = 0; i < walk.Added.Count; i++)
            _farPositions[rule][walk.FarCount - walk.Added.Count + i] = walk.Added[i];
    }

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
        fork.IsCompressed = IsCompressed;
        fork._sight.CopyFrom(_sight, at - _settled);
        for (int rule = 0; rule < _farPositions.Length && _farPositions[rule].Length > 0; rule++)
        {
            fork._farPositions[rule] = GC.AllocateArray<int>(_farPositions[rule].Length, pinned: true);
            _farPositions[rule].CopyTo(fork._farPositions[rule], 0);
        }

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
        if (position < Position && !_sight.SeesAll)
            _sight.Rewind(position - _settled);
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
    internal bool KeepsAll => _states is null && _sight.SeesAll;

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
