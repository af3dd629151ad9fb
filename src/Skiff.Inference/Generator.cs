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

    /// <summary>
    /// The ids of a prompt, with anchors put between where the model was trained so; an empty one becomes the token that begins a text, as there
    /// must be one to go on from.
    /// </summary>
    /// <exception cref="InvalidInputException">An empty prompt, and no such token.</exception>
    public int[] PromptIds(string prompt)
    {
        int[] ids = _tokenizer.Encode(prompt);
        if (ids.Length > 0)
            return _engine.Config.Anchors is { } anchors ? AnchorInserter.Insert(anchors, ids, _tokenizer.EosId) : ids;
        int? first = _tokenizer.BosId ?? _tokenizer.EosId;
        return first is { } id ? [id] : throw new InvalidInputException("prompt", "text", "is empty, and the model has no token that begins a text");
    }

    /// <summary>The tokens that follow <paramref name="prompt"/>, as they are drawn; the last one says why it is the last.</summary>
    /// <param name="prompt">Ids, at least one.</param>
    /// <param name="sampler">Draws the tokens.</param>
    /// <param name="options">When to end.</param>
    /// <param name="speculation">Guesses tokens ahead, which gives the same tokens sooner; none when null.</param>
    /// <param name="stop">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidInputException">
    /// The prompt and the tokens asked for do not fit the context, and the message names its limit; or guesses for a model that cannot take them back.
    /// </exception>
    public IEnumerable<GeneratedToken> Generate(int[] prompt, ISampler sampler, GenerationOptions options, Speculation? speculation = null, CancellationToken stop = default)
    {
        int count = CountOf(prompt, options);
        if (speculation is not null)
            Speculation.CheckTakesBack(_engine);
        return Draw(prompt, sampler, options, count, new StopStrings(options.Stop), speculation, stop);
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
        new(_tokenizer, prompt, sampler, options, count, options.EndIds ?? EndIds, stops, _engine.Config.Anchors?.AddedId);

    // Where the prompt's file, if there is one, leaves off.
    private InferenceSequence Start(int[] prompt, GenerationOptions options)
    {
        int planned = prompt.Length + (options.MaxTokens ?? 0);
        if (options.PromptToken is null && File.Exists(options.PromptCache))
        {
            using InferenceSequence saved = SequenceFile.Load(_engine, options.PromptCache, out int[] tokens);
            int common = prompt.AsSpan(..^1).CommonPrefixLength(tokens);
            if (saved.CanFork(common, planned))
                return saved.Fork(common, planned);
        }

        return _engine.CreateSequence(planned);
    }

    private IEnumerable<GeneratedToken> Draw(
        int[] prompt, ISampler sampler, GenerationOptions options, int count, StopStrings stops, Speculation? speculation, CancellationToken stop)
    {
        Continuation continuation = Begin(prompt, sampler, options, count, stops);
        using InferenceSequence sequence = Start(prompt, options);
        // All but the last token: its logits are needed in any case.
        int kept = options.PromptCache is null || sequence.Position == prompt.Length - 1 ? 0 : prompt.Length - 1;
        int most = Math.Min(speculation?.MostTokens ?? 0, _engine.MaxRows - 1), vocabulary = _engine.VocabularySize;
        float[] logits = new float[(most + 1) * vocabulary];
        for (int piece = Math.Min(continuation.PromptRows(PromptPiece, vocabulary), _engine.MaxRows); sequence.Position < prompt.Length;)
        {
            stop.ThrowIfCancellationRequested();
            int start = sequence.Position, end = Math.Min(start + piece, start < kept ? kept : prompt.Length);
            SequenceTokens rows = new(sequence, prompt.AsMemory(start..end), continuation.WantedOf(end == prompt.Length));
            if (logits.Length < rows.LogitRows * vocabulary)
                logits = new float[rows.LogitRows * vocabulary];
            _engine.Forward([rows], logits.AsSpan(0, rows.LogitRows * vocabulary));
            continuation.ReadPrompt(start, rows, logits);
            if (end == kept)
                SequenceFile.Save(sequence, prompt.AsSpan(0, kept), options.PromptCache!);
        }

        // The token that was drawn last, and the guesses behind it.
        int[] next = new int[most + 1];
        int drafted = 0, row = continuation.LastRow;
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            int accepted = 0;
            while (true)
            {
                GeneratedToken token = continuation.Draw(logits.AsSpan((row + accepted) * vocabulary, vocabulary));
                bool right = accepted < drafted && token.Id == next[1 + accepted];
                if (!right || token.Finish is not null)
                    speculation?.Note(drafted, accepted + (right ? 1 : 0));
                yield return token;
                if (token.Finish is not null)
                    yield break;
                stop.ThrowIfCancellationRequested();
                next[right ? 1 + accepted : 0] = token.Id;
                if (!right)
                    break;
                accepted++;
            }

            // What was read behind the last right guess was never there.
            sequence.Rewind(sequence.Position - drafted + accepted);
            drafted = 0;
            if (speculation is not null)
            {
                ReadOnlySpan<int> guesses = speculation.Draft(continuation.Tokens, Math.Min(most, count - continuation.Drawn - 1));
                // A guess outside the vocabulary is none.
                while (drafted < guesses.Length && (uint)guesses[drafted] < (uint)vocabulary)
                {
                    next[1 + drafted] = guesses[drafted];
                    drafted++;
                }
            }

            row = 0;
            _engine.Forward([new SequenceTokens(sequence, next.AsMemory(0, 1 + drafted), WantedLogits.All)], logits.AsSpan(0, (1 + drafted) * vocabulary));
        }
    }
}
