namespace Skiff.Tensors;

/// <summary>How <see cref="Attention"/> turns products of queries and keys into scores.</summary>
public readonly record struct AttentionSettings
{
    /// <summary>Factor of every product, usually 1 / sqrt(K).</summary>
    public required float Scale { get; init; }

    /// <summary>c of c tanh(score / c) (Gemma 2, arXiv 2408.00118, section 2); 0 for none.</summary>
    public float SoftCap { get; init; }
}
