using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>The optimizer of a recipe.</summary>
public sealed record RecipeOptimizer
{
    /// <summary>The kind.</summary>
    public OptimizerKind Name { get; init; } = OptimizerKind.Adamw;

    /// <summary>AdamW's highest learning rate; by default 0.003, with mup 0.01.</summary>
    [Range(0, 1000, MinimumIsExclusive = true)]
    public double LearningRate { get; init; } = 0.003;

    /// <summary>Share of the first moment that a step of AdamW keeps.</summary>
    [Range(0, 1, MaximumIsExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Share of the second moment that a step of AdamW keeps.</summary>
    [Range(0, 1, MaximumIsExclusive = true)]
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of AdamW's second moment.</summary>
    [Range(0, 1, MinimumIsExclusive = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Share of a matrix that a step of learning rate 1 takes away; gains and biases have none but what <see cref="Groups"/> give.</summary>
    [Range(0, 1000)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>The gradient's largest norm, to which a larger one is scaled down; 0 for any.</summary>
    [Range(0, double.MaxValue)]
    public double Clip { get; init; } = 1;

    /// <summary>Muon's highest learning rate.</summary>
    [Range(0, 1000, MinimumIsExclusive = true)]
    public double MuonLearningRate { get; init; } = 0.02;

    /// <summary>Share of the momentum that a step of Muon keeps.</summary>
    [Range(0, 1, MaximumIsExclusive = true)]
    public double MuonMomentum { get; init; } = 0.95;

    /// <summary>Parameters with a rate or decay of their own; the first group that matches a parameter holds.</summary>
    public IReadOnlyList<RecipeParameterGroup> Groups { get; init; } = [];
}
