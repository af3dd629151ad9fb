namespace Skiff.Training;

/// <summary>What a step came to.</summary>
/// <param name="Step">Steps done, this one included.</param>
/// <param name="Steps">Steps of the run.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Loss">Mean loss of the step's targets, nats a token.</param>
/// <param name="LearningRate">The rate that a scale of 1 stands for.</param>
/// <param name="Multiplier">What the schedule and the stage multiplied the highest rate by.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="TokensPerSecond">Of this step.</param>
/// <param name="ShareOfPeak">6 N tokens a second over the arithmetic peak measured at the start.</param>
/// <param name="Seconds">Spent in training since the run's first step.</param>
/// <param name="SecondsLeft">At the average pace since this process began.</param>
/// <param name="Stage">Stage of the step, from 0.</param>
public readonly record struct StepMetrics(
    long Step, long Steps, long Tokens, double Loss, double LearningRate, double Multiplier, double GradientNorm, double TokensPerSecond,
    double ShareOfPeak, double Seconds, double SecondsLeft, int Stage);

/// <summary>What a measurement on held-out documents came to.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Tokens">Tokens measured on.</param>
/// <param name="Loss">Mean loss, nats a token.</param>
/// <param name="BitsPerByte">The same in bits for each byte of text.</param>
public readonly record struct ValidationMetrics(long Step, long Tokens, double Loss, double BitsPerByte);

/// <summary>Told what a run does; whatever is left null is not told.</summary>
public sealed class TrainingEvents
{
    /// <summary>A line worth reading: what was chosen, found, saved or passed over.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>How far reading and tokenising a corpus is.</summary>
    public Action<string, TokenShardProgress>? Tokenizing { get; init; }

    /// <summary>After each step.</summary>
    public Action<StepMetrics>? Step { get; init; }

    /// <summary>After each measurement.</summary>
    public Action<ValidationMetrics>? Validation { get; init; }

    /// <summary>After each text the model wrote: the prompt and what follows.</summary>
    public Action<string, string>? Sample { get; init; }
}
