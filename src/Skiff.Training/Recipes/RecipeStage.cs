using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>A later stretch of a recipe's run. What it does not name stays as it was before.</summary>
public sealed record RecipeStage
{
    /// <summary>Where it begins: at the first step that finds so many tokens trained on.</summary>
    [Range(1, 1e15)]
    public required StageStart From { get; init; }

    /// <summary>Tokens in a sequence; the sequences of a step become fewer or more, so that its tokens stay the same.</summary>
    [Range(1, 1 << 24)]
    public int? ContextLength { get; init; }

    /// <summary>Each corpus's share of the sequences by name; one not named has none.</summary>
    [Range(0, 1e15, MaximumIsExclusive = true)]
    public IReadOnlyDictionary<string, double>? Mixture { get; init; }

    /// <summary>The base of the rotary embedding.</summary>
    [Range(0, 1e15, MinimumIsExclusive = true)]
    public double? RopeTheta { get; init; }

    /// <summary>
    /// A schedule that takes the place of the one before, its steps counted from where the stage begins and ending with the run.
    /// What it does not name is 0, or as <see cref="RecipeSchedule"/> has it.
    /// </summary>
    public RecipeSchedule? Schedule { get; init; }

    /// <summary>Factor on the schedule's learning rate.</summary>
    [Range(0, 1e6)]
    public double? LearningRateScale { get; init; }
}
