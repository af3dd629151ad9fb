namespace Skiff.Models;

/// <summary>What may differ from block to block.</summary>
public sealed record LayerConfig
{
    /// <summary>Whose weights the block uses: its own index unless weights are shared between blocks.</summary>
    public required int Weights { get; init; }

    /// <summary>Attention or recurrence.</summary>
    public LayerKind Kind { get; init; } = LayerKind.Attention;

    /// <summary>Query heads H.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Feed-forward width F (of each expert in a mixture).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Position i sees j only when i - j is below this; 0 for no window.</summary>
    public int SlidingWindow { get; init; }

    /// <summary>The rotation of queries and keys; null where positions enter otherwise.</summary>
    public RopeConfig? Rope { get; init; }
}

/// <summary>What mixes positions in a block.</summary>
public enum LayerKind
{
    /// <summary>Softmax attention.</summary>
    Attention,

    /// <summary>Real-gated linear recurrent unit (Griffin, arXiv 2402.19427).</summary>
    Recurrent,
}

/// <summary>How positions enter a decoder.</summary>
public enum PositionKind
{
    /// <summary>Rotary embedding of queries and keys (arXiv 2104.09864).</summary>
    Rotary,

    /// <summary>A learned table added to the embedding.</summary>
    Learned,

    /// <summary>A linear bias on attention scores (arXiv 2108.12409).</summary>
    Alibi,

    /// <summary>Not at all.</summary>
    None,
}

/// <summary>Where a block's norms stand.</summary>
public enum NormPlacement
{
    /// <summary>x + f(norm x): almost every family.</summary>
    Before,

    /// <summary>x + norm f(x): OLMo 2.</summary>
    AfterBranch,

    /// <summary>x + norm f(norm x): Gemma 2 and 3.</summary>
    Both,

    /// <summary>norm(x + f(x)): OPT-350M.</summary>
    AfterResidual,
}

/// <summary>Norm of queries and keys before the rotation.</summary>
public enum QueryKeyNorm
{
    /// <summary>None.</summary>
    None,

    /// <summary>Over each head with one gain for all heads, of the model's own norm kind (Qwen 3, Gemma 3, OpenELM, Phi).</summary>
    PerHead,

    /// <summary>Over each head with a gain for each (StableLM 2 12B).</summary>
    EachHead,

    /// <summary>Over all heads together (OLMo 2).</summary>
    Whole,
}

/// <summary>A norm: (x - mean) / deviation * gain + bias, or without mean and bias for RMS.</summary>
public sealed record NormConfig
{
    /// <summary>RMSNorm (arXiv 1910.07467) or LayerNorm (arXiv 1607.06450).</summary>
    public bool Rms { get; init; } = true;

    /// <summary>Added to the mean square before the root.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>A gain is stored.</summary>
    public bool Gain { get; init; } = true;

    /// <summary>A bias is stored.</summary>
    public bool Bias { get; init; }

    /// <summary>Added to the stored gain (1 in Gemma and Nemotron).</summary>
    public float GainOffset { get; init; }
}

/// <summary>Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434; MiniCPM3).</summary>
public sealed record LatentAttentionConfig(int QLoraRank, int KvLoraRank, int QkNopeHeadDim, int QkRopeHeadDim, int VHeadDim);

/// <summary>Griffin's recurrent block (arXiv 2402.19427): width of the recurrence, blocks of its gates, taps of its convolution.</summary>
public sealed record RecurrentConfig(int LruWidth, int GateBlocks, int Conv1dWidth);
