using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Sees the logits of a text as they are computed.</summary>
/// <param name="position">From 0; the logits are for the token after it.</param>
/// <param name="logits">[V], valid during the call.</param>
public delegate void LogitsVisitor(int position, ReadOnlySpan<float> logits);

/// <summary>Computes the probability of texts. V is the vocabulary size.</summary>
public sealed class Scorer
{
    // Logits of this many values are held at a time: 16 MiB.
    private const int LogitsHeld = 1 << 22;

    private readonly InferenceEngine _engine;
    private readonly Tokenizer? _tokenizer;

    /// <summary>A scorer over an engine and the tokenizer that belongs to its model; without one it scores ids alone.</summary>
    public Scorer(InferenceEngine engine, Tokenizer? tokenizer)
    {
        _engine = engine;
        _tokenizer = tokenizer;
    }

    /// <summary>
    /// Scores a text, with the beginning token in front where the model uses one, and anchors between where it was trained so: these are no text,
    /// and get no probability.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="source">Names the text in messages: a file and line.</param>
    /// <param name="visitor">Sees every position's logits.</param>
    /// <param name="stop">Ends the work with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidInputException">The text is longer than the context; the message names its limit.</exception>
    public TextScore Score(string text, string source, LogitsVisitor? visitor = null, CancellationToken stop = default)
    {
        if (_tokenizer is null)
            throw new InvalidInputException(source, "text", "the model comes with no tokenizer; give ids, or name one with --tokenizer");
        int[] ids = _tokenizer.Encode(text);
        return Score(_engine.Config.Anchors is { } anchors ? AnchorInserter.Insert(anchors, ids, _tokenizer.EosId) : ids, System.Text.Encoding.UTF8.GetByteCount(text), source, visitor, stop);
    }

    /// <summary>Scores ids as they are; the bytes are those of the text they stand for, special tokens left out (0 without a tokenizer).</summary>
    /// <inheritdoc cref="Score(string, string, LogitsVisitor?, CancellationToken)"/>
    public TextScore Score(int[] ids, string source, LogitsVisitor? visitor = null, CancellationToken stop = default)
    {
        foreach (int id in ids)
        {
            if (id < 0 || id >= _engine.VocabularySize)
                throw new InvalidInputException(source, "ids", $"{id} is not one of this model's {_engine.VocabularySize} tokens");
        }

        int bytes = _tokenizer is null ? 0 : System.Text.Encoding.UTF8.GetByteCount(_tokenizer.Decode(ids, skipSpecial: true));
        return Score(ids, bytes, source, visitor, stop);
    }

    private TextScore Score(int[] ids, int bytes, string source, LogitsVisitor? visitor, CancellationToken stop)
    {
        if (ids.Length > _engine.MaxPositions)
            throw new InvalidInputException(source, "tokens", $"{ids.Length} are more than this model's limit of {_engine.MaxPositions} positions; split the text");
        double?[] logProbabilities = new double?[ids.Length];
        int v = _engine.VocabularySize;
        int most = Math.Clamp(LogitsHeld / v, 1, Math.Clamp(ids.Length, 1, _engine.MaxRows));
        float[] logits = new float[most * v];
        using InferenceSequence sequence = _engine.CreateSequence(ids.Length);
        for (int start = 0; start < ids.Length; start += most)
        {
            stop.ThrowIfCancellationRequested();
            int count = Math.Min(most, ids.Length - start);
            Span<float> rows = logits.AsSpan(0, count * v);
            _engine.Forward([new SequenceTokens(sequence, ids.AsMemory(start, count), WantedLogits.All)], rows);
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<float> row = rows.Slice(i * v, v);
                visitor?.Invoke(start + i, row);
                if (start + i + 1 < ids.Length && ids[start + i + 1] != _engine.Config.Anchors?.AddedId)
                    logProbabilities[start + i + 1] = LogProbability.Of(row, ids[start + i + 1]);
            }
        }

        return new TextScore(ids, logProbabilities, bytes);
    }
}
