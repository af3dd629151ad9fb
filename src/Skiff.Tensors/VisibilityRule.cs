namespace Skiff.Tensors;

/// <summary>
/// Which earlier positions a position sees: the one rule that training, evaluation and caches share. Positions of other
/// documents and later positions are never seen; each position sees itself.
/// </summary>
public sealed record VisibilityRule
{
    /// <summary>Everything earlier in the document.</summary>
    public static VisibilityRule Causal { get; } = new();

    /// <summary>Without segments: a position sees the last so many positions, itself included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>The first so many positions of a document are seen by all later ones (arXiv 2309.17453).</summary>
    public int Sinks { get; init; }

    /// <summary>
    /// Anchors close segments: a position sees its own segment and, unless it is an anchor itself, the anchors before
    /// (AnLLM, arXiv 2402.07616, equation 4).
    /// </summary>
    public bool Segments { get; init; }

    /// <summary>With segments: an anchor too sees the anchors before it.</summary>
    public bool AnchorsSeeAnchors { get; init; }

    /// <summary>With segments: the last so many positions, itself included, are seen whatever their segment.</summary>
    public int LastVisible { get; init; }

    /// <exception cref="ArgumentException">A negative number, or settings that exclude each other.</exception>
    internal void Check()
    {
        if (Window < 0 || Sinks < 0 || LastVisible < 0)
            throw new ArgumentException("window, sinks and last visible positions must not be negative");
        if (Segments && Window > 0)
            throw new ArgumentException("a window would hide a part of a segment: with segments, set LastVisible");
        if (!Segments && (AnchorsSeeAnchors || LastVisible > 0))
            throw new ArgumentException("AnchorsSeeAnchors and LastVisible need Segments");
    }
}
