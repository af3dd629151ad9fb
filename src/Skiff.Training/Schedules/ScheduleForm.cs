namespace Skiff.Training;

/// <summary>How a learning rate goes from its warm-up to the end.</summary>
public enum ScheduleForm
{
    /// <summary>It stays.</summary>
    Constant,

    /// <summary>It follows half a cosine from the warm-up to the end (Loshchilov and Hutter 2017, arXiv:1608.03983).</summary>
    Cosine,

    /// <summary>It falls in a line from the warm-up to the end.</summary>
    Linear,

    /// <summary>Warmup-Stable-Decay: it stays, and falls in the last steps only (MiniCPM, arXiv:2404.06395).</summary>
    Wsd,
}
