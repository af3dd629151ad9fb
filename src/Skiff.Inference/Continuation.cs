using System.Runtime.InteropServices;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// What goes on from one prompt: draws a token from each row of logits, and knows its text and whether it is the last. The same alone and
/// among others.
/// </summary>
internal sealed class Continuation
{
    // Logits of this many values are held at a time where those of the whole prompt are wanted: 16 MiB.
    private const int LogitsHeld = 1 << 22;

    private readonly ISampler _sampler;
    private readonly Tokenizer _tokenizer;
    private readonly TokenStream _text;
    private readonly StopStrings _stops;
    private readonly IReadOnlyCollection<int> _ends;
    private readonly GenerationOptions _options;
    private readonly List<int> _history;
    private readonly int _prompt, _count;
    private readonly int? _anchor;
    private float[] _masked = [];
    private TokenStream? _promptText;

    /// <summary>Nothing drawn yet.</summary>
    /// <param name="tokenizer">Gives the text.</param>
    /// <param name="prompt">Ids within its vocabulary.</param>
    /// <param name="sampler">Draws the tokens.</param>
    /// <param name="options">What is told of the tokens.</param>
    /// <param name="count">Tokens at most.</param>
    /// <param name="ends">Ids that end the text.</param>
    /// <param name="stops">Text that does.</param>
    /// <param name="anchor">A token that is no text, or null.</param>
    public Continuation(
        Tokenizer tokenizer, int[] prompt, ISampler sampler, GenerationOptions options, int count, IReadOnlyCollection<int> ends, StopStrings stops, int? anchor)
    {
        _anchor = anchor;
        (_tokenizer, _sampler, _stops, _ends, _count, _options, _prompt) = (tokenizer, sampler, stops, ends, count, options, prompt.Length);
        // The prompt goes through the stream unseen: whether a piece keeps its leading space hangs on what came before.
        _text = tokenizer.OpenStream(options.SkipSpecial);
        foreach (int id in prompt)
            Append(_text, id);
        _history = [.. prompt];
    }

    /// <summary>The prompt and what was drawn.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_history);

    /// <summary>Tokens drawn.</summary>
    public int Drawn => _history.Count - _prompt;

    /// <summary>Whether the logits of the whole prompt are wanted.</summary>
    public bool ReadsPrompt => _options.PromptToken is not null;

    /// <summary>The row of the last logits that <see cref="ReadPrompt"/> got that belongs to the prompt's last token.</summary>
    public int LastRow { get; private set; }

    /// <summary>Rows of the prompt that go through the model at once.</summary>
    public int PromptRows(int usual, int vocabulary) => ReadsPrompt ? Math.Clamp(LogitsHeld / vocabulary, 1, usual) : usual;

    /// <summary>The logits wanted of a piece of the prompt.</summary>
    public WantedLogits WantedOf(bool last) => ReadsPrompt ? WantedLogits.All : last ? WantedLogits.Last : WantedLogits.None;

    /// <summary>Tells of the prompt's tokens whose logits have come.</summary>
    /// <param name="start">The first of the piece in the prompt.</param>
    /// <param name="piece">What went through the model.</param>
    /// <param name="logits">[rows, V] of the piece.</param>
    public void ReadPrompt(int start, SequenceTokens piece, ReadOnlySpan<float> logits)
    {
        LastRow = Math.Max(0, piece.LogitRows - 1);
        if (!ReadsPrompt)
            return;
        int vocabulary = piece.Sequence.Engine.VocabularySize;
        if (_promptText is null)
        {
            _promptText = _tokenizer.OpenStream(_options.SkipSpecial);
            Append(_promptText, _history[0]);
        }

        for (int i = 0; i < piece.Tokens.Length && start + i + 1 < _prompt; i++)
        {
            int id = _history[start + i + 1];
            ReadOnlySpan<float> row = logits.Slice(i * vocabulary, vocabulary);
            _options.PromptToken!(new GeneratedToken(id, Append(_promptText, id), LogProbability.Of(row, id), null) { Likeliest = Likeliest(row) });
        }
    }

    /// <summary>The next token; after one with a reason to finish there is none.</summary>
    /// <param name="logits">[V] what the model gives behind the last token.</param>
    /// <exception cref="InvalidInputException">A mask that lets no token pass.</exception>
    public GeneratedToken Draw(ReadOnlySpan<float> logits)
    {
        int id = _sampler.Sample(Masked(logits), Tokens);
        double? logProbability = _options.LogProbabilities || _options.LikeliestTokens > 0 ? LogProbability.Of(logits, id) : null;
        bool ended = _ends.Contains(id);
        string piece = _stops.Append(ended ? "" : Append(_text, id));
        _history.Add(id);
        FinishReason? finish = _stops.Found is not null ? FinishReason.StopString
            : ended ? FinishReason.Stop
            : Drawn == _count ? FinishReason.Length : null;
        if (finish is FinishReason.Stop or FinishReason.Length)
        {
            piece += _stops.Append(_text.Flush()) + _stops.Flush();
            if (_stops.Found is not null)
                finish = FinishReason.StopString;
        }

        return new GeneratedToken(id, piece, logProbability, finish) { Likeliest = Likeliest(logits) };
    }

    private string Append(TokenStream text, int id) => id == _anchor ? "" : text.Append(id);

    private ReadOnlySpan<float> Masked(ReadOnlySpan<float> logits)
    {
        if (_options.Mask is not { } mask)
            return logits;
        if (_masked.Length != logits.Length)
            _masked = new float[logits.Length];
        logits.CopyTo(_masked);
        mask.Apply(Tokens[_prompt..], _masked);
        if (!_masked.AsSpan().ContainsAnyExcept(float.NegativeInfinity))
            throw new InvalidInputException("generation", "mask", $"lets no token pass after {Drawn} of the answer");
        return _masked;
    }

    private TokenProbability[]? Likeliest(ReadOnlySpan<float> logits) =>
        _options.LikeliestTokens > 0 ? LogProbability.Likeliest(logits, _options.LikeliestTokens) : null;
}
