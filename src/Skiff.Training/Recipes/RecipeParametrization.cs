using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>
/// How a model's shape decides initial weights, scales and learning rates. All but the first two are read with
/// <see cref="ParametrizationForm.Mup"/> only; m is the model's width divided by <see cref="BaseWidth"/>.
/// </summary>
public sealed record RecipeParametrization
{
    /// <summary>The form.</summary>
    public ParametrizationForm Form { get; init; } = ParametrizationForm.Standard;

    /// <summary>Standard deviation of initial matrices, divided by √m with mup; by default 0.02, with mup 0.1.</summary>
    [Range(0, 10, MinimumIsExclusive = true)]
    public double InitStd { get; init; } = 0.02;

    /// <summary>The width at which m is 1.</summary>
    [Range(1, 1 << 24)]
    public int BaseWidth { get; init; } = 256;

    /// <summary>Factor on the embedding's output.</summary>
    [Range(0, 1e6, MinimumIsExclusive = true)]
    public double ScaleEmb { get; init; } = 12;

    /// <summary>Divided by √layers: the factor on what attention and feed-forward add to the residual.</summary>
    [Range(0, 1e6, MinimumIsExclusive = true)]
    public double ScaleDepth { get; init; } = 1.4;

    /// <summary>The embedding counts among the matrices, as MiniCPM has it; else its start and rate do not depend on the width.</summary>
    public bool EmbedAsHidden { get; init; } = true;
}
