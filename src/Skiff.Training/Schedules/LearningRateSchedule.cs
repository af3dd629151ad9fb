namespace Skiff.Training;

/// <summary>
/// What a learning rate η is multiplied by at a step s: s/W while it warms up, 1, then the fall of the form. A pure
/// function of the step, so a resumed run needs no state of it. The trainer's first step is s = 1; at s = 0 a rate that
/// warms up is 0.
/// </summary>
public sealed class LearningRateSchedule
{
    private readonly LearningRateOptions _options;

    /// <summary>The schedule that a recipe describes.</summary>
    /// <exception cref="Skiff.Tensors.InvalidInputException">A setting cannot be used.</exception>
    public LearningRateSchedule(LearningRateOptions options)
    {
        options.Check();
        _options = options;
    }

    /// <summary>T: the step from which the rate falls.</summary>
    public long FallsFrom => _options.Form switch
    {
        ScheduleForm.Constant => long.MaxValue,
        ScheduleForm.Wsd => _options.TotalSteps - _options.DecaySteps,
        _ => _options.WarmupSteps,
    };

    /// <summary>The multiplier at a step, 0 to 1.</summary>
    public double Multiplier(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < _options.WarmupSteps)
            return (double)step / _options.WarmupSteps;
        if (step <= FallsFrom)
            return 1;
        long fallen = Math.Min(step, _options.TotalSteps) - FallsFrom, steps = _options.TotalSteps - FallsFrom;
        // Without a step to fall over, the rate never falls.
        return steps == 0 ? 1 : _options.Floor + ((1 - _options.Floor) * Fall(fallen, (double)fallen / steps));
    }

    private double Fall(long steps, double part) => _options.Form switch
    {
        ScheduleForm.Cosine => Cosine(part),
        ScheduleForm.Linear => 1 - part,
        _ => _options.Decay switch
        {
            DecayForm.Exponential => Math.Pow(0.5, steps / _options.HalfLife),
            DecayForm.Linear => 1 - part,
            DecayForm.Cosine => Cosine(part),
            _ => 1 - Math.Sqrt(part),
        },
    };

    private static double Cosine(double part) => (1 + Math.Cos(Math.PI * part)) / 2;
}
