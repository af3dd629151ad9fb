using System.Runtime.InteropServices;
using Skiff.Models;

namespace Skiff.Inference;

/// <summary>
/// What goes on from one prompt: draws a token from each row of logits, and knows its text and whether it is the last. The same alone and
/// among others.
/// </summary>
internal sealed class Continuation
{
    private readonly ISampler _sampler;
    private readonly TokenStream _text;
    private readonly StopStrings _stops;
    private readonly IReadOnlyCollection<int> _ends;
    private readonly List<int> _history;
    private readonly int _count;
    private readonly bool _logProbabilities;
    private int _drawn;

    /// <summary>Nothing drawn yet.</summary>
    /// <param name="tokenizer">Gives the text.</param>
    /// <param name="prompt">Ids within its vocabulary.</param>
    /// <param name="sampler">Draws the tokens.</param>
    /// <param name="options">What is told of the tokens.</param>
    /// <param name="count">Tokens at most.</param>
    /// <param name="ends">Ids that end the text.</param>
    /// <param name="stops">Text that does.</param>
    public Continuation(
        Tokenizer tokenizer, int[] prompt, ISampler sampler, GenerationOptions options, int count, IReadOnlyCollection<int> ends, StopStrings stops)
    {
        (_sampler, _stops, _ends, _count, _logProbabilities) = (sampler, stops, ends, count, options.LogProbabilities);
        // The prompt goes through the stream unseen: whether a piece keeps its leading space hangs on what came before.
        _text = tokenizer.OpenStream(options.SkipSpecial);
        foreach (int id in prompt)
            _text.Append(id);
        _history = [.. prompt];
    }

    /// <summary>The prompt and what was drawn.</summary>
    public IReadOnlyList<int> History => _history;

    /// <summary>The next token; after one with a reason to finish there is none.</summary>
    /// <param name="logits">[V] what the model gives behind the last token.</param>
    public GeneratedToken Draw(ReadOnlySpan<float> logits)
    {
        int id = _sampler.Sample(logits, CollectionsMarshal.AsSpan(_history));
        _drawn++;
        double? logProbability = _logProbabilities ? LogProbability.Of(logits, id) : null;
        bool ended = _ends.Contains(id);
        string piece = _stops.Append(ended ? "" : _text.Append(id));
        FinishReason? finish = _stops.Found is not null ? FinishReason.StopString
            : ended ? FinishReason.Stop
            : _drawn == _count ? FinishReason.Length : null;
        if (finish is FinishReason.Stop or FinishReason.Length)
        {
            piece += _stops.Append(_text.Flush()) + _stops.Flush();
            if (_stops.Found is not null)
                finish = FinishReason.StopString;
        }

        _history.Add(id);
        return new GeneratedToken(id, piece, logProbability, finish);
    }
}
