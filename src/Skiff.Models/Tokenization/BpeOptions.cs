namespace Skiff.Models;

/// <summary>The settings of a BPE model, named as in <c>tokenizer.json</c>.</summary>
internal sealed record BpeOptions
{
    /// <summary>Token for characters outside the vocabulary; without one they are dropped.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether neighbouring unknown characters become one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether an unknown character becomes its bytes' tokens, where the vocabulary has them.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is itself a token is taken whole, before any merge.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Put before every character of a piece but the first.</summary>
    public string? ContinuingSubwordPrefix { get; init; }

    /// <summary>Put behind the last character of a piece.</summary>
    public string? EndOfWordSuffix { get; init; }
}
