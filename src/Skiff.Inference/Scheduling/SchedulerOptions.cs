using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>How a <see cref="Scheduler"/> shares an engine.</summary>
public sealed record SchedulerOptions
{
    /// <summary>Prompt tokens of a pass at most, all requests together: the longer, the sooner a prompt is read and the longer the others wait for a token.</summary>
    public int PromptChunk { get; init; } = 128;

    /// <summary>Requests that run at once at most; never more than the engine's rows of a pass.</summary>
    public int MaxRunning { get; init; } = 32;

    /// <summary>Bytes that the sequences of running requests hold at most.</summary>
    public long CacheBytes { get; init; } = long.MaxValue;

    /// <summary>
    /// Ended requests whose sequences stay, as far as <see cref="CacheBytes"/> is not wanted otherwise: a request that begins with the same tokens
    /// goes on from there.
    /// </summary>
    public int KeptSequences { get; init; }

    internal void Check()
    {
        if (KeptSequences < 0)
            throw new InvalidInputException("scheduler", "kept-sequences", $"must be 0 or more, not {KeptSequences}");
        if (PromptChunk < 1)
            throw new InvalidInputException("scheduler", "prompt-chunk", $"must be at least 1, not {PromptChunk}");
        if (MaxRunning < 1)
            throw new InvalidInputException("scheduler", "max-running", $"must be at least 1, not {MaxRunning}");
        if (CacheBytes < 1)
            throw new InvalidInputException("scheduler", "cache-bytes", $"must be at least 1, not {CacheBytes}");
    }
}
