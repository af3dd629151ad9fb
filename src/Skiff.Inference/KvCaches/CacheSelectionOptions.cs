using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>The numbers of <see cref="CacheSelection"/>'s policies; defaults suit budgets of tens of positions.</summary>
public sealed record CacheSelectionOptions
{
    /// <summary>First positions that <see cref="SelectionPolicy.Streaming"/> and <see cref="SelectionPolicy.Separators"/> keep, as far as the budget leaves room for recent ones.</summary>
    public int Sinks { get; init; } = 4;

    /// <summary>The share of the budget, rounded up, that <see cref="SelectionPolicy.Separators"/> leaves for the most recent positions at least.</summary>
    public double SeparatorsRecentShare { get; init; } = 0.25;

    /// <summary>The share of the budget, rounded up, that <see cref="SelectionPolicy.HeavyHitters"/> gives to the most recent positions.</summary>
    public double HeavyHittersRecentShare { get; init; } = 0.5;

    /// <summary>
    /// Last positions whose attention <see cref="SelectionPolicy.SnapKv"/> counts and that it keeps. A budget that is no larger, for which
    /// the paper says nothing, keeps recent positions with its half, rounded up.
    /// </summary>
    public int ObservationWindow { get; init; } = 16;

    /// <summary>Positions over which <see cref="SelectionPolicy.SnapKv"/> takes the greatest attention, with the position in the middle: odd.</summary>
    public int PoolingWidth { get; init; } = 7;

    /// <summary>Most recent positions that <see cref="SelectionPolicy.KeyNorm"/> keeps, with half of the budget, rounded up, at most.</summary>
    public int KeyNormRecent { get; init; } = 4;

    /// <summary>Refuses what cannot be honoured.</summary>
    /// <param name="source">Where the options come from, for the message.</param>
    /// <exception cref="InvalidInputException">Names the option out of its range.</exception>
    public void Validate(string source)
    {
        Check(Sinks >= 0, source, "sinks", $"must be 0 or more, not {Sinks}");
        Check(SeparatorsRecentShare is >= 0 and <= 1, source, "separators-recent-share", $"must lie from 0 to 1, not {SeparatorsRecentShare}");
        Check(HeavyHittersRecentShare is >= 0 and <= 1, source, "heavy-hitters-recent-share", $"must lie from 0 to 1, not {HeavyHittersRecentShare}");
        Check(ObservationWindow >= 1, source, "observation-window", $"must be 1 or more, not {ObservationWindow}");
        Check(PoolingWidth >= 1 && PoolingWidth % 2 == 1, source, "pooling-width", $"must be odd and 1 or more, not {PoolingWidth}");
        Check(KeyNormRecent >= 0, source, "key-norm-recent", $"must be 0 or more, not {KeyNormRecent}");
    }

    private static void Check(bool holds, string source, string field, string problem)
    {
        if (!holds)
            throw new InvalidInputException(source, field, problem);
    }
}
