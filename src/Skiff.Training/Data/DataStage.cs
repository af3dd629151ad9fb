namespace Skiff.Training;

/// <summary>A stretch of training with one mixture and one context length.</summary>
public sealed record DataStage
{
    /// <summary>The stage begins with the first batch that finds this many tokens trained on; the first stage's is 0.</summary>
    public long From { get; init; }

    /// <summary>Tokens in a row.</summary>
    public int ContextLength { get; init; } = 1024;

    /// <summary>
    /// Each source's share of the rows, by name; shares need not add up to 1, a source not named has none. Empty: every
    /// source by its tokens.
    /// </summary>
    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>();
}
