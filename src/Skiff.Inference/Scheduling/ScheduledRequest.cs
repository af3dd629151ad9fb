using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>One request of a scheduler: what it asked for, how far it is, and where its tokens go.</summary>
internal sealed class ScheduledRequest(int[] prompt, Continuation continuation, int priority, long number, CancellationToken stop) : IDisposable
{
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleWriter = true });
    private readonly int[] _next = new int[1];
    private volatile bool _left;
    private int _read;

    /// <summary>Higher first, then in the order they came.</summary>
    public static Comparer<ScheduledRequest> Order { get; } = Comparer<ScheduledRequest>.Create(
        (a, b) => a.Priority != b.Priority ? b.Priority.CompareTo(a.Priority) : a.Number.CompareTo(b.Number));

    public int Priority => priority;

    public long Number => number;

    /// <summary>What the engine's frequencies are chosen by.</summary>
    public required int PlannedLength { get; init; }

    /// <summary>Positions that it may come to.</summary>
    public required int Positions { get; init; }

    /// <summary>Bytes that its sequence holds.</summary>
    public required long Bytes { get; init; }

    /// <summary>Its keys and values once it runs.</summary>
    public InferenceSequence? Sequence { get; private set; }

    /// <summary>Tokens of the prompt that the engine has not seen.</summary>
    public int PromptLeft => prompt.Length - _read;

    /// <summary>Nobody waits for its tokens any more.</summary>
    public bool Unwanted => _left || stop.IsCancellationRequested;

    /// <summary>Its token, or a piece of its prompt of at most so many.</summary>
    public SequenceTokens Take(int rows)
    {
        if (PromptLeft == 0)
            return new SequenceTokens(Sequence!, _next);
        int count = Math.Min(continuation.PromptRows(rows, Sequence!.Engine.VocabularySize), PromptLeft), start = _read;
        _read += count;
        return new SequenceTokens(Sequence!, prompt.AsMemory(start, count), continuation.WantedOf(PromptLeft == 0));
    }

    /// <summary>Takes the logits of what <see cref="Take"/> gave: tells of its prompt, or draws a token and hands it out.</summary>
    /// <returns>Whether it was the last.</returns>
    public bool See(SequenceTokens rows, ReadOnlySpan<float> logits)
    {
        int vocabulary = Sequence!.Engine.VocabularySize;
        bool isPrompt = continuation.Drawn == 0;
        if (isPrompt)
            continuation.ReadPrompt(_read - rows.Tokens.Length, rows, logits);
        return PromptLeft == 0 && Draw(logits.Slice((isPrompt ? continuation.LastRow : 0) * vocabulary, vocabulary));
    }

    private bool Draw(ReadOnlySpan<float> logits)
    {
        GeneratedToken token = continuation.Draw(logits);
        _next[0] = token.Id;
        _tokens.Writer.TryWrite(token);
        // The engine would refuse it, and the pass of all others with it.
        if (token.Finish is null && (uint)token.Id >= (uint)logits.Length)
            throw new InvalidInputException("input", "tokens", $"id {token.Id} is outside the vocabulary of {logits.Length}");
        return token.Finish is not null;
    }

    /// <summary>Gives it a sequence, which may hold the beginning of its prompt.</summary>
    public void Begin(InferenceSequence sequence) => (Sequence, _read) = (sequence, sequence.Position);

    /// <summary>Hands its sequence over, with the tokens that it holds.</summary>
    public (InferenceSequence Sequence, int[] Tokens) TakeSequence()
    {
        // A fork holds what was written, not the room that was reserved for more.
        InferenceSequence written = Sequence!.Fork();
        Dispose();
        return (written, continuation.Tokens[..written.Position].ToArray());
    }

    /// <summary>The beginning of its prompt that another request's sequence may stand for: none where the logits of all are wanted.</summary>
    public ReadOnlySpan<int> Sharable => continuation.ReadsPrompt ? [] : prompt.AsSpan(..^1);

    /// <summary>No further token comes, for a reason or, with null, as it should be.</summary>
    public void End(Exception? error)
    {
        Dispose();
        _tokens.Writer.TryComplete(error);
    }

    /// <summary>Ends it as nobody wants it.</summary>
    public void Cancel() => End(new OperationCanceledException(stop));

    /// <summary>The tokens as they come; who stops reading gives the request up.</summary>
    public async IAsyncEnumerable<GeneratedToken> Read([EnumeratorCancellation] CancellationToken reader = default)
    {
        try
        {
            await foreach (GeneratedToken token in _tokens.Reader.ReadAllAsync(reader).ConfigureAwait(false))
                yield return token;
        }
        finally
        {
            _left = true;
        }
    }

    /// <summary>Gives its sequence's memory back.</summary>
    public void Dispose()
    {
        Sequence?.Dispose();
        Sequence = null;
    }
}
