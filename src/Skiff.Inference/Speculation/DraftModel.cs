using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Guesses with a smaller model of the same vocabulary, greedily, as long as it is rather sure: a pruned student is a good one.</summary>
public sealed class DraftModel : IDrafter
{
    // Below this probability a guess is more often wrong than it is worth.
    private static readonly double s_least = Math.Log(0.4);

    private readonly InferenceEngine _engine;
    private readonly InferenceSequence _sequence;
    private readonly List<int> _read = [];
    private readonly float[] _logits;

    /// <summary>A drafter for one text after the other.</summary>
    /// <param name="engine">Of the smaller model; stays the caller's.</param>
    /// <param name="tokenizer">The smaller model's.</param>
    /// <param name="target">The tokenizer of the model that is guessed for.</param>
    /// <exception cref="InvalidInputException">The vocabularies differ, or the model cannot take tokens back.</exception>
    public DraftModel(InferenceEngine engine, Tokenizer tokenizer, Tokenizer target)
    {
        if (tokenizer.VocabularySize != target.VocabularySize)
            throw new InvalidInputException("draft", "vocabulary", $"{tokenizer.VocabularySize} tokens, where the model has {target.VocabularySize}: choose a draft with the same tokenizer");
        for (int id = 0; id < target.VocabularySize; id++)
        {
            if (tokenizer.TextOf(id) != target.TextOf(id))
                throw new InvalidInputException("draft", "vocabulary", $"token {id} is '{tokenizer.TextOf(id)}', where the model has '{target.TextOf(id)}': choose a draft with the same tokenizer");
        }

        Speculation.CheckTakesBack(engine, "draft");
        (_engine, _sequence, _logits) = (engine, engine.CreateSequence(), new float[engine.VocabularySize]);
    }

    /// <inheritdoc/>
    public int Draft(ReadOnlySpan<int> tokens, Span<int> drafted)
    {
        int common = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_read).CommonPrefixLength(tokens);
        // The last token is read again where it was read already: its logits are gone.
        common = Math.Min(common, tokens.Length - 1);
        if (tokens.Length + drafted.Length > _engine.MaxPositions || !Keep(common))
            return 0;
        int count = 0;
        Read(tokens[common..]);
        while (count < drafted.Length)
        {
            int id = TensorPrimitives.IndexOfMax(_logits.AsSpan());
            // Padding of a vocabulary stands for no token.
            if (id >= _engine.VocabularySize || LogProbability.Of(_logits, id) < s_least)
                break;
            drafted[count++] = id;
            if (count < drafted.Length)
                Read([id]);
        }

        return count;
    }

    // Forgets what is not there any more.
    private bool Keep(int count)
    {
        if (!_sequence.CanRewind(count))
            return false;
        _sequence.Rewind(count);
        _read.RemoveRange(count, _read.Count - count);
        return true;
    }

    private void Read(ReadOnlySpan<int> tokens)
    {
        int[] ids = tokens.ToArray();
        for (int start = 0; start < ids.Length; start += _engine.MaxRows)
        {
            int count = Math.Min(_engine.MaxRows, ids.Length - start);
            bool last = start + count == ids.Length;
            _engine.Forward([new SequenceTokens(_sequence, ids.AsMemory(start, count), last ? WantedLogits.Last : WantedLogits.None)], last ? _logits : []);
        }

        _read.AddRange(ids);
    }

    /// <summary>Gives its sequence's memory back.</summary>
    public void Dispose() => _sequence.Dispose();
}
