namespace Skiff.Training;

/// <summary>How the decay of Warmup-Stable-Decay falls; x is the part of the decay that is done, 0 to 1.</summary>
public enum DecayForm
{
    /// <summary>0.5^(steps / half-life): MiniCPM's.</summary>
    Exponential,

    /// <summary>1 - x: SmolLM2's.</summary>
    Linear,

    /// <summary>(1 + cos πx) / 2.</summary>
    Cosine,

    /// <summary>1 - √x: SmolLM's (Hägele et al. 2024, arXiv:2405.18392).</summary>
    OneMinusSqrt,
}
