// T positions, G key-value heads
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// A prefix that was computed under full attention, with what policies need to know of it: from it come sequences that keep some positions and
/// go on as if these were all. Nothing is trained for it.
/// </summary>
public sealed unsafe class CompressiblePrefix : IDisposable
{
    private readonly InferenceSequence _sequence;
    private readonly bool[] _separators;
    // Of each block [G, T]: the attention that all rows give, that the last ones give, and the keys' norms.
    private readonly Tensor[] _all, _last, _norms;

    /// <summary>Processes a prefix.</summary>
    /// <param name="engine">One whose blocks see everything, with keys and values in single precision.</param>
    /// <param name="tokens">T ids.</param>
    /// <param name="separators">[T], which of them are separators.</param>
    /// <param name="options">The policies' numbers; their defaults when null.</param>
    /// <exception cref="InvalidInputException">An engine that hides positions or rounds them, or a model with linear biases or recurrent states.</exception>
    public CompressiblePrefix(InferenceEngine engine, int[] tokens, bool[] separators, CacheSelectionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length);
        if (engine.CacheType != TensorType.F32)
            throw new InvalidInputException("engine", "cache type", $"a prefix is compressed from keys and values in f32, not {engine.CacheType.Name()}");
        _separators = separators;
        _sequence = engine.CreateSequence(tokens.Length);
        if (!_sequence.KeepsAll || engine.Plan.HasBiases)
        {
            _sequence.Dispose();
            throw new InvalidInputException("engine", "cache", "a prefix is compressed where all blocks attend to everything, without linear biases: choose the full cache, or another model");
        }

        _all = Scores();
        _last = Scores();
        _norms = Scores();
        int firstLast = CacheSelection.FirstCounted(SelectionPolicy.SnapKv, tokens.Length, options);
        for (int start = 0; start < tokens.Length; start += engine.MaxRows)
        {
            engine.Forward(
                new SequenceTokens(_sequence, tokens.AsMemory(start, Math.Min(engine.MaxRows, tokens.Length - start)), WantedLogits.None),
                (block, rows, query, factors, settings) =>
                {
                    AttentionMass.Add(rows, query, factors, settings, 0, View(_all[block]));
                    AttentionMass.Add(rows, query, factors, settings, firstLast, View(_last[block]));
                });
        }

        for (int block = 0; block < _norms.Length; block++)
            KeyNorms.Compute(_sequence.CacheOf(block).Near, View(_norms[block]));

        Tensor[] Scores() => [.. engine.Config.Layers.Select(layer => Tensor.Allocate(TensorType.F32, engine.Plan.ShapeOf(layer).Heads, tokens.Length))];
    }

    /// <summary>A sequence that keeps every position.</summary>
    public InferenceSequence Whole() => _sequence.Fork();

    /// <summary>A sequence that keeps as many positions of each key-value head as a budget allows.</summary>
    /// <param name="policy">By what they are chosen.</param>
    /// <param name="budget">At least 1.</param>
    /// <param name="options">The policies' numbers; their defaults when null.</param>
    public InferenceSequence Keep(SelectionPolicy policy, int budget, CacheSelectionOptions? options = null)
    {
        InferenceSequence kept = _sequence.Fork();
        kept.Keep([.. _norms.Select((_, block) => Enumerable.Range(0, (int)_norms[block].Rows).Select(head => Choose(block, head)).ToArray())]);
        return kept;

        int[] Choose(int block, int head) => CacheSelection.Choose(policy, budget, new SelectionScores
        {
            Positions = _separators.Length,
            Separators = _separators,
            Mass = Row(policy == SelectionPolicy.SnapKv ? _last[block] : _all[block], head),
            KeyNorms = Row(_norms[block], head),
        }, options);
    }

    private static MatrixView View(Tensor tensor) => new((float*)tensor.Data, (int)tensor.Rows, (int)tensor.Columns);

    private static ReadOnlySpan<float> Row(Tensor tensor, int row) => new((float*)tensor.Data + row * tensor.Columns, (int)tensor.Columns);

    /// <summary>Gives its memory back; sequences that came from it keep theirs.</summary>
    public void Dispose() => _sequence.Dispose();
}
