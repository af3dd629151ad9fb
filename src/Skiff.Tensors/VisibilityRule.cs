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

    /// <summary>With a window: anchors behind it stay visible (SepLLM, arXiv 2412.12094).</summary>
    public bool KeepsAnchors { get; init; }

    /// <summary>With segments: an anchor too sees the anchors before it.</summary>
    public bool AnchorsSeeAnchors { get; init; }

    /// <summary>With anchors: the last so many positions of a segment are its anchors; the very last one closes it and is bound by the rule for anchors.</summary>
    public int AnchorsPerSegment { get; init; } = 1;

    /// <summary>With anchors: only the last so many anchors before the near positions are seen; 0 for all.</summary>
    public int LastAnchors { get; init; }

    /// <summary>
    /// With segments: each anchor that closes so many of them sees what others see of the anchors before, and stays alone in their place; 0 for never.
    /// </summary>
    public int SegmentsPerGroup { get; init; }

    /// <summary>With segments: the last so many positions, itself included, are seen whatever their segment.</summary>
    public int LastVisible { get; init; }

    /// <summary>Whether positions are told from anchors at all.</summary>
    public bool HasAnchors => Segments || KeepsAnchors;

    /// <summary>Whether some position is ever hidden.</summary>
    public bool Hides => Segments || Window > 0;

    /// <exception cref="ArgumentException">A negative number, or settings that exclude each other.</exception>
    internal void Check()
    {
        if (Window < 0 || Sinks < 0 || LastVisible < 0 || LastAnchors < 0 || SegmentsPerGroup < 0)
            throw new ArgumentException("window, sinks, last visible positions, last anchors and segments of a group must not be negative");
        if (AnchorsPerSegment < 1)
            throw new ArgumentException("a segment has at least one anchor");
        if (Segments && Window > 0)
            throw new ArgumentException("a window would hide a part of a segment: with segments, set LastVisible");
        if (KeepsAnchors && Window == 0)
            throw new ArgumentException("KeepsAnchors needs a window, behind which anchors stay");
        if (!Segments && (AnchorsSeeAnchors || LastVisible > 0 || SegmentsPerGroup > 0))
            throw new ArgumentException("AnchorsSeeAnchors, LastVisible and SegmentsPerGroup need Segments");
        if (SegmentsPerGroup == 1 || (SegmentsPerGroup > 0 && LastAnchors > 0))
            throw new ArgumentException("a group has two segments or more, and excludes LastAnchors");
        if (!HasAnchors && (AnchorsPerSegment > 1 || LastAnchors > 0))
            throw new ArgumentException("AnchorsPerSegment and LastAnchors need Segments or KeepsAnchors");
        if (LastAnchors > 0 && Sinks > 0)
            throw new ArgumentException("sinks and LastAnchors exclude each other: what is seen of the far positions is one stretch");
    }
}
