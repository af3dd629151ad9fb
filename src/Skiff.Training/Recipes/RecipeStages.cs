using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>From the stages that a recipe names to the stretches of its run.</summary>
internal static class RecipeStages
{
    /// <summary>The stretches in order; <paramref name="refuse"/> is told the dotted key of what does not fit, and why.</summary>
    public static IReadOnlyList<TrainingStage> Resolve(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        Dictionary<string, double> weights = recipe.Data.Where(data => data.Weight is not null).ToDictionary(data => data.Name, data => data.Weight!.Value);
        List<TrainingStage> stages =
        [
            new()
            {
                FromStep = 0,
                Data = new DataStage { ContextLength = recipe.ContextLength, Weights = weights },
                BatchSize = recipe.BatchSize,
                MicroBatchSize = recipe.MicroBatchSize,
            },
        ];
        for (int i = 0; i < recipe.Stages.Count; i++)
        {
            RecipeStage stage = recipe.Stages[i];
            string key = $"stages.{i}";
            if (stage is { ContextLength: null, Mixture: null, RopeTheta: null, Schedule: null, LearningRateScale: null })
                throw refuse(key, "changes nothing: name context_length, mixture, rope_theta, schedule or learning_rate_scale");
            if (stage.From.Tokens is null && recipe.Schedule.Form != ScheduleForm.Wsd)
                throw refuse($"{key}.from", $"the schedule's form {RecipeKey.NameOf(recipe.Schedule.Form.ToString())} has no decay to begin at, only wsd has: name a number of tokens");
            if (stage.From.Tokens is null && stages[^1].Schedule is not null)
                throw refuse($"{key}.from", "the schedule with that decay was replaced by a stage before: name a number of tokens");
            long from = FromStep(recipe, stage);
            if (from <= stages[^1].FromStep)
                throw refuse($"{key}.from", $"{stage.From} is step {from}, which does not lie behind step {stages[^1].FromStep}, where the stretch before begins");
            if (from >= recipe.TotalSteps)
                throw refuse($"{key}.from", $"{stage.From} is step {from}, and the run ends with step {recipe.TotalSteps}");
            if (stage.Mixture is { } mixture)
                CheckMixture(recipe, mixture, $"{key}.mixture", refuse);
            stages.Add(Follow(recipe, stages[^1], stage, from, key, refuse));
        }

        return stages;
    }

    /// <summary>The last stage before a step that has a schedule of its own, or -1.</summary>
    public static int WithOwnSchedule(Recipe recipe, long step) =>
        recipe.Stages.ToList().FindLastIndex(stage => stage.Schedule is not null && FromStep(recipe, stage) < step);

    /// <summary>What remains of a recipe's stages in a branch that decays from <paramref name="decayFrom"/> to <paramref name="end"/>, in steps.</summary>
    public static IReadOnlyList<RecipeStage> OfBranch(Recipe recipe, long decayFrom, long end)
    {
        int decay = recipe.Stages.ToList().FindIndex(stage => stage.From.Tokens is null);
        // What the run comes to before its decay, the branch does not come to after its own.
        return [.. recipe.Stages.Where((stage, i) => stage.From.Tokens is null || FromStep(recipe, stage) < (i < decay ? decayFrom : end))];
    }

    // A step lies wholly in one stage.
    private static long FromStep(Recipe recipe, RecipeStage stage) =>
        stage.From.Tokens is not { } tokens ? recipe.TotalSteps - recipe.Schedule.DecaySteps : (tokens + recipe.TokensPerStep - 1) / recipe.TokensPerStep;

    private static TrainingStage Follow(
        Recipe recipe, TrainingStage before, RecipeStage stage, long from, string key, Func<string, string, InvalidInputException> refuse)
    {
        int context = stage.ContextLength ?? before.Data.ContextLength;
        long microTokens = (long)recipe.MicroBatchSize * recipe.ContextLength;
        if (recipe.TokensPerStep % context != 0)
            throw refuse($"{key}.context_length", $"a step's {recipe.TokensPerStep} tokens, {recipe.BatchSize} times {recipe.ContextLength}, are no whole number of sequences of {context}");
        if (microTokens % context != 0)
            throw refuse($"{key}.context_length", $"the {microTokens} tokens of micro_batch_size, {recipe.MicroBatchSize} times {recipe.ContextLength}, are no whole number of sequences of {context}");
        if (recipe.TokensPerStep / context > int.MaxValue)
            throw refuse($"{key}.context_length", $"a step of {recipe.TokensPerStep} tokens has too many sequences of {context}");
        return new TrainingStage
        {
            FromStep = from,
            Data = new DataStage { From = from * recipe.TokensPerStep, ContextLength = context, Weights = stage.Mixture ?? before.Data.Weights },
            BatchSize = (int)(recipe.TokensPerStep / context),
            MicroBatchSize = (int)(microTokens / context),
            RopeTheta = stage.RopeTheta ?? before.RopeTheta,
            Schedule = stage.Schedule is { } own ? ScheduleOf(own, recipe.TotalSteps - from, key, refuse) : before.Schedule,
            ScheduleFrom = stage.Schedule is null ? before.ScheduleFrom : from,
            LearningRateScale = stage.LearningRateScale ?? before.LearningRateScale,
        };
    }

    private static LearningRateSchedule ScheduleOf(RecipeSchedule schedule, long steps, string key, Func<string, string, InvalidInputException> refuse)
    {
        try
        {
            return new LearningRateSchedule(schedule.ToOptions(steps));
        }
        catch (InvalidInputException e)
        {
            throw refuse($"{key}.schedule.{RecipeChecks.KeyOf(e)}", e.Problem);
        }
    }

    private static void CheckMixture(Recipe recipe, IReadOnlyDictionary<string, double> mixture, string key, Func<string, string, InvalidInputException> refuse)
    {
        if (mixture.Keys.FirstOrDefault(name => recipe.Data.All(data => data.Name != name)) is { } unknown)
            throw refuse(key, $"'{unknown}' is no corpus; data has {string.Join(", ", recipe.Data.Select(data => data.Name))}");
        if (mixture.Values.All(share => share == 0))
            throw refuse(key, "gives no corpus a share");
    }
}
