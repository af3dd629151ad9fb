namespace Skiff.Tensors;

/// <summary>What stays the same from step to step of <see cref="MuonStep"/>.</summary>
public sealed record MuonSettings
{
    /// <summary>Share of the momentum that a step keeps, from 0 up to but not including 1.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>The step looks ahead: it follows g + mu m rather than m.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Share of a parameter that a step of learning rate 1 would take away.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>How a step's size follows from the matrix's shape.</summary>
    public MuonScale Scale { get; init; } = MuonScale.Original;
}
