namespace Skiff.Inference;

/// <summary>What is known of the T positions of a key-value head; a policy reads what it needs and the rest may be empty.</summary>
public readonly ref struct SelectionScores
{
    /// <summary>T.</summary>
    public required int Positions { get; init; }

    /// <summary>[T], which positions hold separators. For <see cref="SelectionPolicy.Separators"/>.</summary>
    public ReadOnlySpan<bool> Separators { get; init; }

    /// <summary>
    /// [T], attention that positions got from the rows from <see cref="CacheSelection.FirstCounted"/> on. For
    /// <see cref="SelectionPolicy.HeavyHitters"/> and <see cref="SelectionPolicy.SnapKv"/>.
    /// </summary>
    public ReadOnlySpan<float> Mass { get; init; }

    /// <summary>[T], L2 norms of keys. For <see cref="SelectionPolicy.KeyNorm"/>.</summary>
    public ReadOnlySpan<float> KeyNorms { get; init; }
}
