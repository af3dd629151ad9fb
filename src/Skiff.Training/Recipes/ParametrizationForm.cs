namespace Skiff.Training;

/// <summary>How initial weights, scales and learning rates follow from a model's shape.</summary>
public enum ParametrizationForm
{
    /// <summary>They do not.</summary>
    Standard,

    /// <summary>As MiniCPM defines µP (arXiv:2404.06395, table 7), so that rates found on a narrow model serve a wide one.</summary>
    Mup,
}
