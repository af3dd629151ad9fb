using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>The learning rate's course; steps are optimizer steps.</summary>
public sealed record RecipeSchedule
{
    /// <summary>The form.</summary>
    public ScheduleForm Form { get; init; } = ScheduleForm.Wsd;

    /// <summary>Steps over which the rate rises in a line from 0; by default a hundredth of all, from 1 to 2000.</summary>
    [Range(0, 1e12)]
    public long WarmupSteps { get; init; }

    /// <summary>The last steps, in which wsd decays; by default a tenth of all. No other form has any.</summary>
    [Range(0, 1e12)]
    public long DecaySteps { get; init; }

    /// <summary>How wsd decays.</summary>
    public DecayForm Decay { get; init; } = DecayForm.OneMinusSqrt;

    /// <summary>Steps in which an exponential decay halves the rate.</summary>
    [Range(0, 1e12, MinimumIsExclusive = true)]
    public double HalfLife { get; init; } = 5000;

    /// <summary>The share of the rate that a fall ends at.</summary>
    [Range(0, 1)]
    public double Floor { get; init; }

    /// <summary>The same with the run's length.</summary>
    public LearningRateOptions ToOptions(long totalSteps) => new()
    {
        Form = Form,
        WarmupSteps = WarmupSteps,
        TotalSteps = totalSteps,
        DecaySteps = DecaySteps,
        Decay = Decay,
        HalfLife = HalfLife,
        Floor = Floor,
    };
}
