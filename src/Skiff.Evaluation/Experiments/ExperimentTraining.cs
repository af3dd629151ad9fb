using Skiff.Training;

namespace Skiff.Evaluation;

/// <summary>Trains the models of experiments.</summary>
internal static class ExperimentTraining
{
    /// <summary>A text as YAML.</summary>
    public static string Quoted(string path) => $"'{path.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Runs a recipe, or goes on with its run, and says from time to time how far it is.</summary>
    /// <returns>Steps of the whole run.</returns>
    public static long Run(ExperimentContext context, string name, string yaml, int every)
    {
        Recipe recipe = Recipe.Parse(yaml, name + ".yaml", []);
        using Trainer trainer = Trainer.Resume(recipe, name + ".yaml", new TrainingEvents
        {
            Step = metrics =>
            {
                if (metrics.Step % every == 0)
                    context.Note(FormattableString.Invariant($"step {metrics.Step} of {metrics.Steps}, loss {metrics.Loss:0.000}, {metrics.TokensPerSecond:0} tokens/s"));
            },
        }, context.Stop);
        trainer.Run(context.Stop);
        return recipe.TotalSteps;
    }
}
