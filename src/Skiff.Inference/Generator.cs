using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Continues a prompt token by token. Safe to use for one sequence after another, not for two at a time.</summary>
public sealed class Generator
{
    // Between two pieces of a long prompt the caller can stop.
    private const int PromptPiece = 256;

    private readonly InferenceEngine _engine;
    private readonly Tokenizer _tokenizer;

    /// <summary>A generator over an engine and the tokenizer that belongs to its model.</summary>
    public Generator(InferenceEngine engine, Tokenizer tokenizer)
    {
        _engine = engine;
        _tokenizer = tokenizer;
    }

    /// <summary>
    /// The ids that end a text: the tokenizer's end token, and its beginning token, which some models (llama2.c's) put
    /// between two texts and none within one.
    /// </summary>
    public IReadOnlyCollection<int> EndIds =>
        new[] { _tokenizer.EosId, _tokenizer.BosId }.OfType<int>().Distinct().ToArray();

    /// <summary>The ids of a prompt; an empty one becomes the token that begins a text, as there must be one to go on from.</summary>
    /// <exception cref="InvalidInputException">An empty prompt, and no such token.</exception>
    public int[] PromptIds(string prompt)
    {
        int[] ids = _tokenizer.Encode(prompt);
        if (ids.Length > 0)
            return ids;
        int? first = _tokenizer.BosId ?? _tokenizer.EosId;
        return first is { } id ? [id] : throw new InvalidInputException("prompt", "text", "is empty, and the model has no token that begins a text");
    }

    /// <summary>The tokens that follow <paramref name="prompt"/>, as they are drawn; the last one says why it is the last.</summary>
    /// <param name="prompt">Ids, at least one.</param>
    /// <param name="sampler">Draws the tokens.</param>
    /// <param name="options">When to end.</param>
    /// <param name="stop">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidInputException">The prompt and the tokens asked for do not fit the context; the message names its limit.</exception>
    public IEnumerable<GeneratedToken> Generate(int[] prompt, ISampler sampler, GenerationOptions options, CancellationToken stop = default)
    {
        int count = CountOf(prompt, options);
        return Draw(prompt, sampler, options, count, new StopStrings(options.Stop), stop);
    }

    /// <summary>The tokens that may follow a prompt: those asked for, or as many as the context holds.</summary>
    /// <exception cref="InvalidInputException">They do not fit the context.</exception>
    internal int CountOf(int[] prompt, GenerationOptions options)
    {
        int limit = _engine.MaxPositions;
        if (prompt.Length == 0)
            throw new InvalidInputException("prompt", "tokens", "there must be at least one");
        if (prompt.Length > limit)
            throw new InvalidInputException("prompt", "tokens", $"{prompt.Length} are more than this model's limit of {limit} positions; shorten the prompt");
        // The last token drawn takes no position of its own.
        int room = limit - prompt.Length + 1;
        int count = options.MaxTokens ?? room;
        if (count < 1)
            throw new InvalidInputException("generation", "max-tokens", $"must be at least 1, not {count}");
        if (count > room)
            throw new InvalidInputException("generation", "max-tokens", $"{count} after {prompt.Length} of the prompt exceed this model's limit of {limit} positions; ask for at most {room}");
        return count;
    }

    /// <summary>Draws what follows a prompt whose count was checked.</summary>
    internal Continuation Begin(int[] prompt, ISampler sampler, GenerationOptions options, int count, StopStrings stops) =>
        new(_tokenizer, prompt, sampler, options, count, options.EndIds ?? EndIds, stops);

    private IEnumerable<GeneratedToken> Draw(int[] prompt, ISampler sampler, GenerationOptions options, int count, StopStrings stops, CancellationToken stop)
    {
        Continuation continuation = Begin(prompt, sampler, options, count, stops);
        using InferenceSequence sequence = _engine.CreateSequence(prompt.Length + (options.MaxTokens ?? 0));
        float[] logits = new float[_engine.VocabularySize];
        for (int start = 0, piece = Math.Min(PromptPiece, _engine.MaxRows); start < prompt.Length; start += piece)
        {
            stop.ThrowIfCancellationRequested();
            bool last = start + piece >= prompt.Length;
            _engine.Forward(
                [new SequenceTokens(sequence, prompt.AsMemory(start, Math.Min(piece, prompt.Length - start)), last ? WantedLogits.Last : WantedLogits.None)],
                last ? logits : []);
        }

        int[] next = new int[1];
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            GeneratedToken token = continuation.Draw(logits);
            yield return token;
            if (token.Finish is not null)
                yield break;
            next[0] = token.Id;
            _engine.Forward([new SequenceTokens(sequence, next)], logits);
        }
    }
}
