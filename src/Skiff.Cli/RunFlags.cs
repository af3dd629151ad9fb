using System.CommandLine;
using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary>What verbs share that write a recipe from flags, run it, and put the model where it was asked for.</summary>
internal static class RunFlags
{
    /// <summary>Changes any value of the recipe.</summary>
    public static Option<string[]> Set() => new("--set") { Description = "Change any value of the recipe that this makes: optimizer.name=muon (docs/recipes.md).", HelpName = "KEY=VALUE" };

    /// <summary>A key of a recipe, where a value is given.</summary>
    public static IEnumerable<string> Key(string key, object? value, bool quote = true)
    {
        if (value is not null)
            yield return $"{key}={(value is string text && quote ? Quoted(text) : Convert.ToString(value, CultureInfo.InvariantCulture))}";
    }

    /// <summary>A text as YAML.</summary>
    public static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Refuses a folder that holds something.</summary>
    public static void RefuseTaken(string target)
    {
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new InvalidInputException(target, "OUT", "is there already and is not empty: name another folder");
    }

    /// <summary>Runs a recipe, or goes on with its run, and writes its model.</summary>
    public static void Run(string[] sets, string source, string target, ParseResult parse, Option<bool> json, CancellationToken stop) =>
        Run(sets, source, target, parse.InvocationConfiguration.Output, parse.InvocationConfiguration.Error, parse.GetValue(json), stop);

    /// <summary>The same with the run's lines going elsewhere.</summary>
    public static void Run(string[] sets, string source, string target, TextWriter output, TextWriter error, bool json, CancellationToken stop)
    {
        Recipe recipe = Recipe.Parse("", source, sets);
        if (RunFolder.Exists(recipe.Output))
            TrainVerb.RefuseOther(recipe, RunFolder.Open(recipe.Output).ReadRecipe([]));
        using TrainPrinter printer = new(output, error, json);
        using (Trainer trainer = Trainer.Resume(recipe, source, printer.Events, stop))
            trainer.Run(stop);
        ModelWriter.Write(Model.Open(RunFolder.Open(recipe.Output).ModelPath), target, TensorType.F32);
    }
}
