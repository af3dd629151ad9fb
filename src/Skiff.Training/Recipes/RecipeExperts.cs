using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>Coefficients of the losses that keep a mixture of experts in order; models without experts have no use for them.</summary>
public sealed record RecipeExperts
{
    /// <summary>Of the load-balancing loss (Fedus et al. 2021, arXiv:2101.03961, equation 4).</summary>
    [Range(0, 1000)]
    public double Balance { get; init; } = 0.01;

    /// <summary>Of the router's z-loss (Zoph et al. 2022, arXiv:2202.08906, equation 5).</summary>
    [Range(0, 1000)]
    public double Z { get; init; } = 0.001;
}
