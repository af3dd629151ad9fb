using Skiff.Models;
using Skiff.Training;

namespace Skiff.Evaluation;

/// <summary>Trains the models of experiments.</summary>
internal static class ExperimentTraining
{
    /// <summary>A text as YAML.</summary>
    public static string Quoted(string path) => $"'{path.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Runs a recipe, or goes on with its run where that was begun by the same step, and says from time to time how far it is.</summary>
    /// <returns>Steps of the whole run.</returns>
    public static long Run(ExperimentContext context, string name, string yaml, int every)
    {
        Recipe recipe = Recipe.Parse(yaml, name + ".yaml", []);
        string begun = recipe.Output + ".key";
        if (Directory.Exists(recipe.Output) && (!File.Exists(begun) || File.ReadAllText(begun) != context.Key))
            Directory.Delete(recipe.Output, recursive: true);
        Directory.CreateDirectory(Path.GetDirectoryName(begun)!);
        AtomicFile.WriteText(begun, context.Key);
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
