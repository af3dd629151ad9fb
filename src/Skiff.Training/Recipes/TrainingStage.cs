namespace Skiff.Training;

/// <summary>A stretch of a run with everything that its recipe leaves to inference resolved.</summary>
public sealed record TrainingStage
{
    /// <summary>Steps done when it begins.</summary>
    public required long FromStep { get; init; }

    /// <summary>Where it begins in tokens, the length of its sequences and the mixture.</summary>
    public required DataStage Data { get; init; }

    /// <summary>Sequences in an optimizer step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Sequences that go forward and backward at once; 0 to have it chosen.</summary>
    public required int MicroBatchSize { get; init; }

    /// <summary>The base of the rotary embedding; null for the model's own.</summary>
    public double? RopeTheta { get; init; }

    /// <summary>The schedule in force, or null for the recipe's own.</summary>
    public LearningRateSchedule? Schedule { get; init; }

    /// <summary>The step that <see cref="Schedule"/> counts from.</summary>
    public long ScheduleFrom { get; init; }

    /// <summary>Factor on the schedule's learning rate.</summary>
    public double LearningRateScale { get; init; } = 1;
}
