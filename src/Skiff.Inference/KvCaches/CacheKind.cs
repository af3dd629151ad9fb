namespace Skiff.Inference;

/// <summary>What a cache keeps. Blocks that see a window by the model's own description keep to it under every kind.</summary>
public enum CacheKind
{
    /// <summary>Every position.</summary>
    Full,

    /// <summary>The last positions, and the first ones as sinks (StreamingLLM, arXiv 2309.17453).</summary>
    Window,

    /// <summary>The same, and the ends of sentences (SepLLM, arXiv 2412.12094).</summary>
    Separators,

    /// <summary>Of closed segments their anchors alone (AnLLM, arXiv 2402.07616), for a model that was trained so.</summary>
    Anchor,
}
