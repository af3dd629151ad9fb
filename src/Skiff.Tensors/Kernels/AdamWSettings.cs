namespace Skiff.Tensors;

/// <summary>What stays the same from step to step of <see cref="AdamWStep"/>.</summary>
public sealed record AdamWSettings
{
    /// <summary>Share of the first moment that a step keeps, from 0 up to but not including 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Share of the second moment that a step keeps, from 0 up to but not including 1.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the corrected second moment; above 0.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Share of a parameter that a step of learning rate 1 would take away; 0 for gains and biases.</summary>
    public double WeightDecay { get; init; } = 0.1;
}
