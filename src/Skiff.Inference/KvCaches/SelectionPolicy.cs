namespace Skiff.Inference;

/// <summary>By what a prefix's cache is made smaller without training: which positions of a key-value head stay.</summary>
public enum SelectionPolicy
{
    /// <summary>The first positions (sinks) and the most recent ones. StreamingLLM: Xiao et al., arXiv 2309.17453, section 3.2.</summary>
    Streaming,

    /// <summary>
    /// Sinks, separators such as full stops and commas, and the most recent positions. SepLLM: Chen et al., arXiv 2412.12094, section 3. The
    /// newest separators stay where there are too many.
    /// </summary>
    Separators,

    /// <summary>
    /// The most recent positions, and those that got most attention from all rows. H2O: Zhang et al., arXiv 2306.14048, section 4. Published as a
    /// greedy eviction token by token; here the choice falls once, with all sums known.
    /// </summary>
    HeavyHitters,

    /// <summary>
    /// The most recent positions, and those that got most attention from these, or lie beside such. SnapKV: Li et al., arXiv 2404.14469,
    /// section 4. It favours what the end of the prefix asks for.
    /// </summary>
    SnapKv,

    /// <summary>
    /// The most recent positions, and those whose keys have the smallest L2 norm. Devoto et al., arXiv 2406.11430, who leave the caches of the
    /// first two blocks whole.
    /// </summary>
    KeyNorm,
}
