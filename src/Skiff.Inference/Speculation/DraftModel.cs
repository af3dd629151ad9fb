using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Guesses with a smaller model of the same vocabulary, greedily, as long as it is rather sure: a pruned student is a good one.</summary>
public sealed class DraftModel : IDrafter
{
    // Below this probability a guess is more often wrong than it is worth.
    private static readonly double s_least = Math.Log(0.4);

    private readonly InferenceEngine _engine;
    private readonly int _vocabulary;
    private readonly List<int> _read = [];
    private readonly float[] _logits;
    // Holds tokens of the text alone; guesses go on from a fork, which any model's sequence has.
    private InferenceSequence _sequence;

    /// <summary>A drafter for one text after the other.</summary>
    /// <param name="engine">Of the smaller model; stays the caller's.</param>
    /// <param name="tokenizer">The smaller model's.</param>
    /// <param name="target">The tokenizer of the model that is guessed for.</param>
    /// <exception cref="InvalidInputException">The vocabularies differ.</exception>
    public DraftModel(InferenceEngine engine, Tokenizer tokenizer, Tokenizer target)
    {
        if (tokenizer.VocabularySize != target.VocabularySize)
            throw new InvalidInputException("draft", "vocabulary", $"{tokenizer.VocabularySize} tokens, where the model has {target.VocabularySize}: choose a draft with the same tokenizer");
        for (int id = 0; id < target.VocabularySize; id++)
        {
            if (tokenizer.TextOf(id) != target.TextOf(id))
                throw new InvalidInputException("draft", "vocabulary", $"token {id} is '{tokenizer.TextOf(id)}', where the model has '{target.TextOf(id)}': choose a draft with the same tokenizer");
        }

        (_engine, _sequence, _logits) = (engine, engine.CreateSequence(), new float[engine.VocabularySize]);
        // What pads a vocabulary stands for no token.
        _vocabulary = Math.Min(engine.VocabularySize, target.VocabularySize);
    }

    /// <inheritdoc/>
    public int Draft(ReadOnlySpan<int> tokens, Span<int> drafted)
    {
        // A padded vocabulary of the other model may have ids that this one has not.
        if (drafted.Length == 0 || tokens.Length + drafted.Length > _engine.MaxPositions || tokens.ContainsAnyExceptInRange(0, _engine.VocabularySize - 1))
            return 0;
        // The last token is read again where it was read already: its logits are gone.
        int common = Math.Min(CollectionsMarshal.AsSpan(_read).CommonPrefixLength(tokens), tokens.Length - 1);
        if (common < _read.Count && !_sequence.CanRewind(common))
        {
            _sequence.Dispose();
            (_sequence, common) = (_engine.CreateSequence(), 0);
        }

        _sequence.Rewind(common);
        _read.RemoveRange(common, _read.Count - common);
        Read(_sequence, tokens[common..]);
        _read.AddRange(tokens[common..]);
        using InferenceSequence guesses = _sequence.Fork();
        int count = 0;
        while (true)
        {
            int id = TensorPrimitives.IndexOfMax(_logits.AsSpan(0, _vocabulary));
            if (LogProbability.Of(_logits, id) < s_least)
                return count;
            drafted[count++] = id;
            if (count == drafted.Length)
                return count;
            Read(guesses, [id]);
        }
    }

    private void Read(InferenceSequence sequence, ReadOnlySpan<int> tokens)
    {
        int[] ids = tokens.ToArray();
        for (int start = 0; start < ids.Length; start += _engine.MaxRows)
        {
            int count = Math.Min(_engine.MaxRows, ids.Length - start);
            bool last = start + count == ids.Length;
            _engine.Forward([new SequenceTokens(sequence, ids.AsMemory(start, count), last ? WantedLogits.Last : WantedLogits.None)], last ? _logits : []);
        }
    }

    /// <summary>Gives its sequence's memory back.</summary>
    public void Dispose() => _sequence.Dispose();
}
