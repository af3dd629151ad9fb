// N rows of a pass
using System.Runtime.InteropServices;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>One pass through the blocks: whose its rows are, and the memory that lasts until its end, planned for the most rows.</summary>
internal sealed unsafe class EnginePass : IDisposable
{
    // Every piece begins on a 64-byte border.
    private const int Border = 16;

    private readonly EnginePlan _plan;
    private readonly InferenceSequence[] _sequences;
    private readonly RowSight[] _sights;
    private readonly int[] _firstRows, _counts, _starts, _offsets, _entries;
    private readonly NativeBuffer _scratch, _lists;
    private readonly float*[] _cosines, _sines;
    private readonly float* _factors;
    private readonly CachedRows* _cached;
    private readonly RecurrentRows* _recurrent;
    private readonly int _logLength;
    private long _used;
    private long _pass;

    /// <summary>Takes the memory of all passes.</summary>
    /// <param name="config">What is computed.</param>
    /// <param name="plan">Rotations.</param>
    /// <param name="maxRows">Rows of a pass at most.</param>
    /// <param name="rowValues">Values that blocks take for a row at most.</param>
    /// <param name="team">Threads.</param>
    public EnginePass(ModelConfig config, EnginePlan plan, int maxRows, long rowValues, ThreadTeam team)
    {
        (_plan, _logLength, Team) = (plan, config.LogAttentionLength, team);
        _sequences = new InferenceSequence[maxRows];
        (_firstRows, _counts, _starts, _offsets, _entries, Positions) = (new int[maxRows], new int[maxRows], new int[maxRows], new int[maxRows], new int[maxRows], new int[maxRows]);
        int statistics = Math.Max(maxRows, config.Layers.Max(layer => layer.Heads));
        (Inverse, Mean) = (new float[statistics], new float[statistics]);
        long angles = plan.Ropes.Sum(rope => 2L * Up((long)maxRows * (rope.RotaryDim / 2)));
        ScratchLength = checked((rowValues + 1) * maxRows + 64 * Border);
        _scratch = new NativeBuffer(checked(ScratchLength * sizeof(float)), clear: false);
        long sights = plan.Rules.Length * Up(RowSight.Numbers(maxRows));
        _lists = new NativeBuffer(checked((angles + Up(maxRows) + sights) * sizeof(float) + (long)maxRows * (sizeof(CachedRows) + sizeof(RecurrentRows))), clear: false);
        float* next = (float*)_lists.Start;
        _cosines = new float*[plan.Ropes.Length];
        _sines = new float*[plan.Ropes.Length];
        for (int i = 0; i < plan.Ropes.Length; i++)
        {
            long length = Up((long)maxRows * (plan.Ropes[i].RotaryDim / 2));
            _cosines[i] = next;
            _sines[i] = next + length;
            next += 2 * length;
        }

        _factors = next;
        next += Up(maxRows);
        _sights = new RowSight[plan.Rules.Length];
        for (int rule = 0; rule < _sights.Length; rule++)
        {
            _sights[rule] = new RowSight((int*)next, plan.Rules[rule], maxRows);
            next += Up(RowSight.Numbers(maxRows));
        }

        _cached = (CachedRows*)next;
        _recurrent = (RecurrentRows*)(_cached + maxRows);
    }

    public ThreadTeam Team { get; }

    /// <summary>Rows that matrices read, one input after the other.</summary>
    public Activations Activations { get; } = new();

    /// <summary>N.</summary>
    public int Rows { get; private set; }

    /// <summary>Sequences that have rows.</summary>
    public int Sequences { get; private set; }

    /// <summary>[N], each row's own.</summary>
    public int[] Positions { get; }

    /// <summary>What norms keep for gradients, which nobody asks for here.</summary>
    public float[] Inverse { get; }

    public float[] Mean { get; }

    /// <summary>Sees the queries of each block, or null.</summary>
    public QueryVisitor? Queries { get; set; }

    /// <summary>Factors on each row's attention scale, or null.</summary>
    public float* Factors => _logLength > 0 ? _factors : null;

    /// <summary>Values of scratch memory.</summary>
    public long ScratchLength { get; }

    /// <summary>Bytes of all that was taken.</summary>
    public long ByteLength => _scratch.Length + _lists.Length;

    /// <summary>Makes room in all caches, after looking what rows see.</summary>
    /// <exception cref="OutOfMemoryException">There is none; the sequences stand where they stood.</exception>
    public void Reserve(ReadOnlySpan<SequenceTokens> batch)
    {
        foreach (RowSight sight in _sights)
            sight.Clear();
        for (int s = 0, row = 0; s < batch.Length; row += batch[s++].Tokens.Length)
            batch[s].Sequence.See(batch[s].Tokens.Span, s, row, _sights);
        try
        {
            foreach (SequenceTokens entry in batch)
                entry.Sequence.Reserve(entry.Tokens.Length);
        }
        catch
        {
            foreach (SequenceTokens entry in batch)
                entry.Sequence.Unsee();
            throw;
        }
    }

    /// <summary>Takes the sequences and their positions over, and works out what all blocks need of them.</summary>
    public void Begin(ReadOnlySpan<SequenceTokens> batch)
    {
        _used = 0;
        Place(batch, wantedOnly: false);
    }

    /// <summary>Goes on with the rows whose logits are wanted alone.</summary>
    /// <param name="batch">What it began with.</param>
    /// <param name="x">[N, D] of all rows.</param>
    /// <param name="wanted">How many are wanted.</param>
    /// <returns>Those of x.</returns>
    public MatrixView Narrow(ReadOnlySpan<SequenceTokens> batch, MatrixView x, int wanted)
    {
        if (wanted == Rows)
            return x;
        MatrixView narrow = Take(wanted, x.Columns);
        int row = 0, to = 0;
        foreach (SequenceTokens entry in batch)
        {
            row += entry.Tokens.Length;
            int count = entry.LogitRows;
            new ReadOnlySpan<float>(x.Data + (row - count) * x.RowStride, count * x.Columns).CopyTo(new Span<float>(narrow.Data + to * narrow.RowStride, count * x.Columns));
            to += count;
        }

        Place(batch, wantedOnly: true);
        return narrow;
    }

    private void Place(ReadOnlySpan<SequenceTokens> batch, bool wantedOnly)
    {
        (Rows, Sequences) = (0, 0);
        for (int i = 0, end = 0; i < batch.Length; i++)
        {
            SequenceTokens entry = batch[i];
            int count = wantedOnly ? entry.LogitRows : entry.Tokens.Length, s = Sequences;
            end += entry.Tokens.Length;
            if (count == 0)
                continue;
            (_entries[s], _offsets[s]) = (i, end - count);
            (_sequences[s], _firstRows[s], _counts[s], _starts[s]) = (entry.Sequence, Rows, count, entry.Sequence.Position + entry.Tokens.Length - count);
            for (int n = 0; n < count; n++)
                Positions[Rows++] = _starts[s] + n;
            Sequences++;
        }

        for (int rope = 0; rope < _plan.Ropes.Length; rope++)
        {
            for (int s = 0; s < Sequences; s++)
                Turn(rope, s);
        }

        for (int n = 0; n < Rows && _logLength > 0; n++)
            _factors[n] = Positions[n] + 1 > _logLength ? (float)(Math.Log(Positions[n] + 1) / Math.Log(_logLength)) : 1;
    }

    /// <summary>Moves the sequences on.</summary>
    public void End(ReadOnlySpan<SequenceTokens> batch)
    {
        foreach (SequenceTokens entry in batch)
            entry.Sequence.Position += entry.Tokens.Length;
        Array.Clear(_sequences, 0, batch.Length);
    }

    /// <summary>The number of a new pass.</summary>
    public long Next() => ++_pass;

    /// <summary>Room for rows of some values, with anything in it.</summary>
    public MatrixView Take(int columns) => Take(Rows, columns);

    /// <inheritdoc cref="Take(int)"/>
    public MatrixView Take(int rows, int columns)
    {
        long at = _used;
        _used += Up((long)rows * columns);
        if (_used > ScratchLength)
            throw new InvalidOperationException($"{_used} values of scratch memory where {ScratchLength} were planned");
        return new MatrixView((float*)_scratch.Start + at, rows, columns);
    }

    /// <summary>What is taken so far, for <see cref="Release"/>.</summary>
    public long Mark() => _used;

    /// <summary>Gives back what was taken since a mark.</summary>
    public void Release(long mark) => _used = mark;

    /// <summary>Cosines and sines of a rotation, [N, R/2].</summary>
    public (MatrixView Cosines, MatrixView Sines) Angles(int rope)
    {
        int half = _plan.Ropes[rope].RotaryDim / 2;
        return (new MatrixView(_cosines[rope], Rows, half), new MatrixView(_sines[rope], Rows, half));
    }

    /// <summary>The sequences' rows with their caches of a block.</summary>
    public CachedRows* Cached(int block)
    {
        int rule = _plan.RuleOf(block);
        for (int s = 0; s < Sequences; s++)
        {
            KvCache cache = _sequences[s].CacheOf(block);
            int[] positions = _sequences[s].FarPositions(rule);
            _cached[s] = _sights[rule].Place(
                new CachedRows(cache.Near, _firstRows[s], _counts[s], _starts[s]), _entries[s], _offsets[s], cache,
                positions.Length == 0 ? null : (int*)Marshal.UnsafeAddrOfPinnedArrayElement(positions, 0));
        }

        return _cached;
    }

    /// <summary>The sequences' rows with their states of a recurrent block.</summary>
    public RecurrentRows* Recurrent(int recurrentBlock, RecurrentConfig recurrent)
    {
        for (int s = 0; s < Sequences; s++)
        {
            float* state = _sequences[s].StateOf(recurrentBlock);
            _recurrent[s] = new RecurrentRows
            {
                Taps = state,
                Hidden = state + (recurrent.Conv1dWidth - 1) * recurrent.LruWidth,
                Row = _firstRows[s],
                Count = _counts[s],
                Position = _starts[s],
            };
        }

        return _recurrent;
    }

    // As the plain decoder: angles in double precision.
    private void Turn(int rope, int sequence)
    {
        (double[] frequencies, double scale) = _sequences[sequence].Rotations[rope];
        for (int n = _firstRows[sequence], end = n + _counts[sequence]; n < end; n++)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                (double sin, double cos) = Math.SinCos(Positions[n] * frequencies[i]);
                long at = (long)n * frequencies.Length + i;
                (_cosines[rope][at], _sines[rope][at]) = ((float)(cos * scale), (float)(sin * scale));
            }
        }
    }

    private static long Up(long values) => (values + Border - 1) / Border * Border;

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _scratch.Free();
        _lists.Free();
    }
}

/// <summary>Sees the rotated queries of a sequence's rows, with its keys written.</summary>
/// <param name="block">Whose they are.</param>
/// <param name="rows">The rows; the first is the pass's first.</param>
/// <param name="query">[N, H K], valid during the call.</param>
/// <param name="factors">[N], or null.</param>
/// <param name="settings">How scores are made.</param>
internal unsafe delegate void QueryVisitor(int block, CachedRows rows, MatrixView query, float* factors, CachedAttentionSettings settings);
