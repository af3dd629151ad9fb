namespace Skiff.Training;

/// <summary>What a learning rate is multiplied by at a step: the schedule's factor times the stage's. A pure function of the step.</summary>
public sealed class StagedLearningRate
{
    private readonly LearningRateSchedule _schedule;
    private readonly IReadOnlyList<TrainingStage> _stages;

    internal StagedLearningRate(LearningRateSchedule schedule, IReadOnlyList<TrainingStage> stages)
    {
        _schedule = schedule;
        _stages = stages;
    }

    /// <summary>The factor at a step; a run's first step is 1.</summary>
    public double At(long step)
    {
        // Step s is the first of a stage that begins when s - 1 steps are done.
        TrainingStage stage = _stages[0];
        for (int i = 1; i < _stages.Count && _stages[i].FromStep < Math.Max(step, 1); i++)
            stage = _stages[i];
        return stage.LearningRateScale * (stage.Schedule ?? _schedule).Multiplier(step - stage.ScheduleFrom);
    }
}
