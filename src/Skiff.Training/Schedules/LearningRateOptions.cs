using System.Globalization;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A learning-rate schedule as a recipe describes it; steps are optimizer steps.</summary>
public sealed record LearningRateOptions
{
    /// <summary>The form.</summary>
    public ScheduleForm Form { get; init; } = ScheduleForm.Wsd;

    /// <summary>W: steps over which the rate rises in a line from 0.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>S: where the schedule ends; its last value stays from there on. Only the constant form needs none.</summary>
    public long TotalSteps { get; init; }

    /// <summary>S - T: the last steps, in which Warmup-Stable-Decay decays; about a tenth of all.</summary>
    public long DecaySteps { get; init; }

    /// <summary>How Warmup-Stable-Decay decays.</summary>
    public DecayForm Decay { get; init; } = DecayForm.OneMinusSqrt;

    /// <summary>H: the steps in which the exponential decay halves the rate.</summary>
    public double HalfLife { get; init; } = 5000;

    /// <summary>The share of the rate that every fall ends at: f becomes floor + (1 - floor)·f.</summary>
    public double Floor { get; init; }

    /// <summary>The same run decaying from <paramref name="step"/> on, over <see cref="DecaySteps"/>: a branch of its stable part.</summary>
    /// <exception cref="InvalidInputException">The form has no stable part, or the step lies outside it.</exception>
    public LearningRateOptions DecayAt(long step)
    {
        if (Form != ScheduleForm.Wsd)
            throw new InvalidInputException("schedule", "form", $"{Form} has no stable part to branch from: only wsd has");
        if (step < WarmupSteps || (TotalSteps > 0 && step > TotalSteps - DecaySteps))
            throw new InvalidInputException("schedule", "decay at", $"step {step} lies outside the stable part, {WarmupSteps} to {TotalSteps - DecaySteps}");
        return this with { TotalSteps = step + DecaySteps };
    }

    internal void Check()
    {
        Refuse(!Enum.IsDefined(Form), "form", "unknown");
        Refuse(WarmupSteps < 0, "warmup steps", $"{WarmupSteps} is negative");
        Refuse(!(Floor is >= 0 and <= 1), "floor", string.Create(CultureInfo.InvariantCulture, $"{Floor}: must be from 0 to 1"));
        Refuse(Form == ScheduleForm.Constant && Floor > 0, "floor", "a constant rate has none");
        Refuse(Form != ScheduleForm.Wsd && DecaySteps != 0, "decay steps", $"{Form} has no decay of its own: only wsd has");
        if (Form == ScheduleForm.Constant)
            return;
        Refuse(TotalSteps < 1, "total steps", $"{TotalSteps}: must be at least 1");
        Refuse(WarmupSteps > TotalSteps, "warmup steps", $"{WarmupSteps} are more than the {TotalSteps} of all");
        if (Form != ScheduleForm.Wsd)
            return;
        Refuse(!Enum.IsDefined(Decay), "decay", "unknown");
        Refuse(DecaySteps < 0 || DecaySteps > TotalSteps - WarmupSteps, "decay steps", $"{DecaySteps}: {TotalSteps} steps with {WarmupSteps} of warm-up leave 0 to {TotalSteps - WarmupSteps}");
        Refuse(Decay == DecayForm.Exponential && !(HalfLife is > 0 and < double.PositiveInfinity), "half-life", string.Create(CultureInfo.InvariantCulture, $"{HalfLife}: must be above 0"));
    }

    private static void Refuse(bool wrong, string field, string problem)
    {
        if (wrong)
            throw new InvalidInputException("schedule", field, problem);
    }
}
