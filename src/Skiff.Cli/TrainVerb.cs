using System.CommandLine;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary><c>skiff train</c>: a recipe to a model folder.</summary>
internal static class TrainVerb
{
    private const string Auto = "auto";

    public static Verb Create()
    {
        Argument<string?> recipe = new("RECIPE") { Description = "A recipe in YAML (docs/recipes.md).", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> set = new("--set") { Description = "Change a value of the recipe: optimizer.learning_rate=0.01. May be given several times.", HelpName = "KEY=VALUE" };
        Option<string?> resume = Flags.Text("--resume", "auto|RUN", "Go on with a run from its newest whole checkpoint: the recipe's own (auto; begins it where there is none), or the run in a folder.");
        Option<string?> branch = Flags.Text("--branch", "RUN", "Begin a run at a checkpoint of another's stable part and decay from there.");
        Option<long?> decayAt = Long("--decay-at", "STEP", "With --branch: the checkpoint to begin at.");
        Option<long?> decaySteps = Long("--decay-steps", "N", "With --branch: steps of the decay; by default the run's.");
        Option<bool> dry = new("--dry-run") { Description = "Only tell parameters, memory, tokens and the time it may take." };
        Option<bool> json = Flags.Json("With --dry-run: print JSON. Else: print each line of metrics.jsonl as it is written.");
        Verb verb = new("train", "Train a model from a recipe, go on with a run, or branch off one.")
        {
            Examples =
            [
                "skiff train recipes/books.yaml",
                "skiff train recipes/books.yaml --set tokens=5M --set output=runs/short --dry-run",
                "skiff train recipes/books.yaml --resume auto",
                "skiff train --branch runs/books --decay-at 4000 --decay-steps 400",
            ],
        };
        verb.Arguments.Add(recipe);
        foreach (Option option in new Option[] { set, resume, branch, decayAt, decaySteps, dry, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            string? from = result.GetValue(branch), again = result.GetValue(resume), file = result.GetValue(recipe);
            if (from is null && (result.GetValue(decayAt) is not null || result.GetValue(decaySteps) is not null))
                result.AddError("--decay-at and --decay-steps need --branch");
            else if (from is not null && (result.GetValue(decayAt) is null || again is not null || file is not null))
                result.AddError("--branch takes --decay-at, and neither a recipe nor --resume: change the run's recipe with --set");
            else if (again is not (null or Auto) && file is not null)
                result.AddError("--resume RUN takes no recipe: the run has its own; change it with --set, or say --resume auto");
            else if (from is null && again is null or Auto && file is null)
                result.AddError("which recipe? 'skiff train recipe.yaml', 'skiff train --resume RUN' or 'skiff train --branch RUN --decay-at STEP'");
        });
        return verb.Computes((parse, stop) =>
        {
            TextWriter output = parse.InvocationConfiguration.Output, error = parse.InvocationConfiguration.Error;
            string[] sets = parse.GetValue(set) ?? [];
            using TrainPrinter printer = new(output, error, parse.GetValue(json));
            TrainingEvents events = printer.Events;
            Start start = parse.GetValue(branch) is { } other
                ? Branch(other, parse.GetValue(decayAt)!.Value, parse.GetValue(decaySteps), sets)
                : parse.GetValue(resume) is { } again && again != Auto
                    ? new(RunFolder.Open(again).ReadRecipe(sets) with { Output = again }, Path.Combine(again, "recipe.yaml"), Resumes: true)
                    : new(Recipe.Read(parse.GetValue(recipe)!, sets), parse.GetValue(recipe)!, parse.GetValue(resume) == Auto);
            if (parse.GetValue(dry))
            {
                DryRunPrinter.Print(output, DryRun.Of(start.Recipe, start.Source, stop), parse.GetValue(json));
                return Program.Success;
            }

            if (start.Resumes && parse.GetValue(recipe) is not null && RunFolder.Exists(start.Recipe.Output))
                RefuseOther(start.Recipe, RunFolder.Open(start.Recipe.Output).ReadRecipe([]));
            using Trainer trainer = start.From is { } from ? Trainer.Branch(start.Recipe, start.Source, from, start.Tokenizer, events, stop)
                : start.Resumes ? Trainer.Resume(start.Recipe, start.Source, events, stop)
                : Trainer.Start(start.Recipe, start.Source, events, stop);
            trainer.Run(stop);
            return Program.Success;
        }, loadsModel: false);
    }

    private static Start Branch(string path, long step, long? decaySteps, string[] sets)
    {
        RunFolder run = RunFolder.Open(path);
        string source = Path.Combine(path, "recipe.yaml");
        if (!run.Checkpoints().Contains(step))
            throw new InvalidInputException(path, "--decay-at", $"there is no checkpoint of step {step}; there are {(run.Checkpoints() is { Count: > 0 } steps ? string.Join(", ", steps) : "none")} (checkpoint.keep says how many stay)");
        Recipe recipe = run.ReadRecipe([]).DecayAt(step, decaySteps) with { Output = $"{Path.TrimEndingDirectorySeparator(path)}-decay-{step}" };
        // Changes come last, over what the branch has made of the recipe.
        return new(sets.Length == 0 ? recipe : Recipe.Parse(recipe.ToYaml(), source, sets), source, false, Checkpoint.Open(run.CheckpointPath(step)), RunFolder.TrainedTokenizer(run.Path));
    }

    // A run that goes on must be the one that was begun.
    internal static void RefuseOther(Recipe asked, Recipe begun)
    {
        string[] mine = asked.ToYaml().Split('\n'), theirs = begun.ToYaml().Split('\n');
        for (int i = 0; i < Math.Min(mine.Length, theirs.Length); i++)
        {
            if (mine[i] != theirs[i])
                throw new InvalidInputException(begun.Output, "recipe.yaml", $"the run was begun with '{theirs[i].Trim()}', not '{mine[i].Trim()}': set output to begin another run, or go on with this one changed by 'skiff train --resume {begun.Output} --set ...'");
        }
    }

    internal static Option<long?> Long(string name, string placeholder, string description) => new(name)
    {
        Description = description,
        HelpName = placeholder,
        CustomParser = result =>
        {
            if (long.TryParse(result.Tokens[^1].Value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long number))
                return number;
            result.AddError($"{name} takes a whole number, not '{result.Tokens[^1].Value}'");
            return null;
        },
    };

    private sealed record Start(Recipe Recipe, string Source, bool Resumes, Checkpoint? From = null, string? Tokenizer = null);
}
