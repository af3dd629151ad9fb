using System.Globalization;

namespace Skiff.Training;

/// <summary>What a <see cref="LossWatchdog"/> has seen.</summary>
/// <param name="Average">Moving average of the loss, or null before the first step.</param>
/// <param name="Best">The lowest average, or null.</param>
/// <param name="Above">Steps in a row that the average lay too high.</param>
internal sealed record WatchdogState(double? Average, double? Best, long Above);

/// <summary>Tells when a run has gone wrong: a loss or gradient that is no number, or a loss that jumped up and stays there.</summary>
internal sealed class LossWatchdog(RecipeWatchdog options, WatchdogState state)
{
    // About the last twenty steps count.
    private const double Keep = 0.95;

    private double? _average = state.Average, _best = state.Best;
    private long _above = state.Above;

    /// <summary>What it has seen, for a checkpoint.</summary>
    public WatchdogState State => new(_average, _best, _above);

    /// <summary>Takes a step's figures; what is wrong, or null.</summary>
    public string? Check(double loss, double gradientNorm)
    {
        if (!double.IsFinite(loss) || !double.IsFinite(gradientNorm))
            return $"the {(double.IsFinite(loss) ? "gradient" : "loss")} is no number: lower optimizer.learning_rate or raise schedule.warmup_steps; the last checkpoint is from before";
        _average = _average is { } average ? Keep * average + (1 - Keep) * loss : loss;
        _best = Math.Min(_best ?? double.MaxValue, _average.Value);
        _above = options.Spike > 0 && _average > _best + options.Spike ? _above + 1 : 0;
        return _above < options.Patience || options.Spike == 0 ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"the loss has stood at {_average:0.00} for {_above} steps, {_average - _best:0.00} above its best: lower optimizer.learning_rate, or set watchdog.spike to 0 to let it go on");
    }
}
