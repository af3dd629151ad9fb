// N rows of a pass, D model, E embedding, V vocabulary
using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;
using Tensor = Skiff.Tensors.Tensor;

namespace Skiff.Inference;

/// <summary>
/// Runs any described decoder over many sequences at once: the rows of all sequences of a pass share each product with weights. What a
/// sequence gets has the same bits alone or among others and in any chunks. For one caller at a time.
/// </summary>
public sealed unsafe class InferenceEngine : IDisposable
{
    private readonly EnginePlan _plan;
    private readonly EngineBlock[] _blocks;
    private readonly EnginePass _pass;
    private readonly EngineHead _head;
    private readonly Tensor _embedding;
    private readonly Tensor? _positions;
    private readonly PackedMatrix? _projection;
    private readonly EngineNorm? _embeddingNorm;
    private readonly float[] _positionRow;
    private readonly bool _isWatched;
    private readonly StreamVisitor? _stream;
    private bool _disposed;

    /// <summary>Packs the weights and plans the memory of passes.</summary>
    /// <param name="model">Stays in use: its embedding is read where it is.</param>
    /// <param name="options">Sizes and threads; the usual ones when null.</param>
    /// <exception cref="InvalidInputException">An option out of its range, or weights that the memory does not hold.</exception>
    public InferenceEngine(Model model, InferenceEngineOptions? options = null)
    {
        options ??= new InferenceEngineOptions();
        options.Check();
        ThreadTeam team = options.Team ?? ThreadTeam.Default;
        (Config, MaxRows, _isWatched) = (model.Config, options.MaxRows, options.IsWatched);
        _stream = options.Stream;
        MemoryBudget.Check(EngineWeights.LeastBytes(model), model.Path, "its weights");
        CacheType = options.CacheType ?? (EngineWeights.IsExact(model) ? TensorType.F32 : TensorType.I16);
        _plan = new EnginePlan(Config, options, CacheType);
        EngineWeights weights = new(model, team, options.Progress, options.Inputs, options.Experts);
        _embedding = weights.Stored("embedding.weight");
        _positions = Config.Position == PositionKind.Learned ? weights.Stored("position_embedding.weight") : null;
        _positionRow = new float[_positions is null ? 0 : Config.HiddenSize];
        _projection = Config.WordEmbedProjDim != Config.HiddenSize ? weights.Matrix("embedding_projection.weight") : null;
        _embeddingNorm = Config.EmbeddingNorm ? weights.Norm(Config.Norm, "embedding_norm") : null;
        _blocks = [.. Enumerable.Range(0, Config.NumHiddenLayers).Select(block => new EngineBlock(Config, weights, _plan, block, MaxRows))];
        _head = new EngineHead(Config, weights);
        WeightBytes = weights.ByteLength;
        // The packed weights are what is read from here on: the file's pages need not stay beside them.
        model.Forget();
        Identity = weights.Identity();
        long rowValues = 2L * Config.HiddenSize + Math.Max(_blocks.Max(block => block.RowValues), Math.Max(_head.RowValues, Config.WordEmbedProjDim));
        _pass = new EnginePass(Config, _plan, MaxRows, rowValues, team);
    }

    /// <summary>What is computed.</summary>
    public ModelConfig Config { get; }

    /// <summary>V, logits per position.</summary>
    public int VocabularySize => Config.VocabSize;

    /// <summary>Positions a sequence may have.</summary>
    public int MaxPositions => _plan.MaxPositions;

    /// <summary>Rows of a pass at most.</summary>
    public int MaxRows { get; }

    /// <summary>How keys and values are stored.</summary>
    public TensorType CacheType { get; }

    /// <summary>Bytes that a position adds to a sequence that keeps all of them.</summary>
    public long CacheBytesPerPosition => _plan.PositionBytes;

    /// <summary>Bytes of packed weights.</summary>
    public long WeightBytes { get; }

    /// <summary>Tells this model's sequences from another's, [32].</summary>
    internal byte[] Identity { get; }

    /// <summary>What its sequences see.</summary>
    internal EnginePlan Plan => _plan;

    /// <summary>Bytes that all passes share.</summary>
    public long ScratchBytes => _pass.ByteLength;

    /// <summary>Bytes that its sequences hold now.</summary>
    public long CacheBytes => _plan.Memory.Bytes;

    /// <summary>Pieces of native memory that its sequences hold now: 0 once all are disposed.</summary>
    public int CacheBlocks => _plan.Memory.Blocks;

    /// <summary>An empty sequence.</summary>
    /// <param name="plannedLength">
    /// Positions it is going to have, where known: room is taken for them at once, and LongRoPE and dynamic scaling choose their frequencies by it.
    /// </param>
    public InferenceSequence CreateSequence(int plannedLength = 0)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(plannedLength);
        InferenceSequence sequence = new(this, plannedLength);
        try
        {
            sequence.Prepare(Math.Min(plannedLength, MaxPositions));
            return sequence;
        }
        catch
        {
            sequence.Dispose();
            throw;
        }
    }

    /// <summary>Adds tokens to sequences, after those that they hold.</summary>
    /// <param name="batch">Sequences and their tokens, <see cref="MaxRows"/> tokens at most.</param>
    /// <param name="logits">[rows, V]: for each sequence in order, none, one or all of its rows.</param>
    /// <exception cref="InvalidInputException">An id outside the vocabulary, or a sequence beyond <see cref="MaxPositions"/>; nothing has changed.</exception>
    /// <exception cref="ArgumentException">Sizes do not fit, or a sequence is there twice or of another engine; nothing has changed.</exception>
    public void Forward(ReadOnlySpan<SequenceTokens> batch, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Check(batch, logits.Length);
        if (batch.Length == 0)
            return;
        _pass.Reserve(batch);
        _pass.Begin(batch);
        MatrixView x = _pass.Take(Config.HiddenSize);
        Embed(batch, x);
        for (int block = 0; block < _blocks.Length - 1; block++)
        {
            _stream?.Invoke(block, x);
            _blocks[block].Apply(_pass, x);
        }

        Finish(batch, x, logits);
        _pass.End(batch);
    }

    /// <summary>Adds tokens to one sequence while somebody sees its queries.</summary>
    internal void Forward(SequenceTokens entry, QueryVisitor queries)
    {
        _pass.Queries = queries;
        try
        {
            Forward([entry], []);
        }
        finally
        {
            _pass.Queries = null;
        }
    }

    // Of rows whose logits nobody wants, the last block's keys and values are all that is left behind.
    private void Finish(ReadOnlySpan<SequenceTokens> batch, MatrixView x, Span<float> logits)
    {
        EngineBlock last = _blocks[^1];
        _stream?.Invoke(_blocks.Length - 1, x);
        int wanted = logits.Length / VocabularySize;
        bool remembers = wanted < x.Rows && last.Remembers && !_isWatched && _pass.Queries is null;
        if (remembers)
            last.Remember(_pass, x);
        else
            last.Apply(_pass, x);
        _stream?.Invoke(_blocks.Length, x);
        if (wanted == 0)
            return;
        x = _pass.Narrow(batch, x, wanted);
        if (remembers)
            last.Apply(_pass, x);
        _head.Apply(_pass, x, logits);
    }

    private void Check(ReadOnlySpan<SequenceTokens> batch, int logits)
    {
        long rows = 0, wanted = 0, pass = _pass.Next();
        foreach (SequenceTokens entry in batch)
        {
            entry.Sequence.CheckUsable(this);
            if (entry.Sequence.Pass == pass)
                throw new ArgumentException("a sequence is twice in the pass", nameof(batch));
            if (entry.Tokens.Length == 0)
                throw new ArgumentException("no tokens", nameof(batch));
            entry.Sequence.Pass = pass;
            rows += entry.Tokens.Length;
            wanted += entry.LogitRows;
            if ((long)entry.Sequence.Position + entry.Tokens.Length > MaxPositions)
                throw new InvalidInputException("input", "tokens", $"{entry.Sequence.Position + (long)entry.Tokens.Length} positions are more than the model's context of {MaxPositions}");
            foreach (int id in entry.Tokens.Span)
            {
                if ((uint)id >= (uint)VocabularySize)
                    throw new InvalidInputException("input", "tokens", $"id {id} is outside the vocabulary of {VocabularySize}");
            }
        }

        if (rows > MaxRows)
            throw new ArgumentException($"{rows} tokens in a pass of {MaxRows} at most", nameof(batch));
        if (logits != wanted * VocabularySize)
            throw new ArgumentException($"{logits} logits for {wanted} positions of {VocabularySize}", nameof(logits));
    }

    private void Embed(ReadOnlySpan<SequenceTokens> batch, MatrixView x)
    {
        long mark = _pass.Mark();
        MatrixView embedded = _projection is null ? x : _pass.Take(Config.WordEmbedProjDim);
        int n = 0;
        foreach (SequenceTokens entry in batch)
        {
            foreach (int id in entry.Tokens.Span)
                _embedding.ReadRow(id, Row(embedded, n++));
        }

        if (Config.EmbeddingScale != 1)
            Scale.Apply(new Span<float>(embedded.Data, embedded.Rows * embedded.Columns), (float)Config.EmbeddingScale, _pass.Team);
        if (_projection is not null)
        {
            _pass.Activations.Set(embedded, _pass.Team);
            _projection.Multiply(_pass.Activations, x, _pass.Team);
        }

        for (n = 0; n < x.Rows && _positions is not null; n++)
        {
            _positions.ReadRow(_pass.Positions[n] + Config.PositionOffset, _positionRow);
            TensorPrimitives.Add(Row(x, n), _positionRow, Row(x, n));
        }

        _embeddingNorm?.Apply(_pass, x, x);
        _pass.Release(mark);
    }

    private static Span<float> Row(MatrixView matrix, int row) => new(matrix.Data + row * matrix.RowStride, matrix.Columns);

    /// <summary>Gives the memory of passes back. Sequences keep theirs until they are disposed.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _pass.Dispose();
    }
}
