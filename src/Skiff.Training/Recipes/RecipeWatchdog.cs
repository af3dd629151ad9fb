using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>When a run is given up. A loss that is no number ends it in any case.</summary>
public sealed record RecipeWatchdog
{
    /// <summary>Nats by which the loss may lie above the best of its recent averages; 0 for any number.</summary>
    [Range(0, 1e6)]
    public double Spike { get; init; } = 1.5;

    /// <summary>Steps for which it may lie higher.</summary>
    [Range(1, 1e12)]
    public long Patience { get; init; } = 50;
}
