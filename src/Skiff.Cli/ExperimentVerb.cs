using System.CommandLine;
using System.Globalization;
using Skiff.Evaluation;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff experiment</c>: trains, measures and writes a page of results, from where it was interrupted.</summary>
internal static class ExperimentVerb
{
    public static Verb Create()
    {
        Argument<string> name = new("NAME") { Description = "Which: " + string.Join("; ", Experiment.All.Select(e => $"{e.Name} ({e.Description.TrimEnd('.')})")) + "." };
        Argument<string> folder = new("OUT") { Description = "The folder of its runs and figures; a run that was interrupted goes on." };
        Option<string?> data = Flags.Text("--data", "FOLDER", "The data folder [default: SKIFF_DATA].");
        Option<bool> smoke = new("--smoke") { Description = "A version of a few minutes, to see that all of it runs; its figures mean nothing." };
        Option<bool> large = new("--large") { Description = "Larger models too, which take an hour more; what is there already is not done again." };
        Option<bool> json = Flags.Json("Print one JSON object: the page and where it is.");
        Verb verb = new("experiment", "Run an experiment: train models, compare them, write the page of results.")
        {
            Examples = ["skiff experiment anchors my-anchors --data ../shared/data", "skiff experiment anchors try --smoke"],
        };
        verb.Arguments.Add(name);
        verb.Arguments.Add(folder);
        foreach (Option option in new Option[] { data, smoke, large, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(name) is { } asked && Experiment.All.All(experiment => experiment.Name != asked))
                result.AddError($"there is no experiment '{asked}'; there is {string.Join(", ", Experiment.All.Select(e => e.Name))}");
            else if (result.GetValue(large) && result.GetValue(smoke))
                result.AddError("--large contradicts --smoke");
            else if (result.GetValue(large) && result.GetValue(name) is { } known && !Experiment.All.Single(experiment => experiment.Name == known).HasLarge)
                result.AddError($"--large: '{known}' has no larger models");
        });
        return verb.Computes((parse, stop) =>
        {
            Experiment experiment = Experiment.All.Single(experiment => experiment.Name == parse.GetValue(name));
            string from = parse.GetValue(data) ?? Environment.GetEnvironmentVariable("SKIFF_DATA") ?? throw new InvalidInputException("experiment", "--data", "is missing, and SKIFF_DATA is not set: name the data folder");
            if (!Directory.Exists(from))
                throw new InvalidInputException(from, "--data", "is no folder");
            ExperimentSize size = parse.GetValue(smoke) ? ExperimentSize.Smoke : parse.GetValue(large) ? ExperimentSize.Large : ExperimentSize.Usual;
            TextWriter error = parse.InvocationConfiguration.Error, output = parse.InvocationConfiguration.Output;
            string page = ExperimentRunner.Run(experiment, parse.GetValue(folder)!, from, size, progress => error.WriteLine(Line(progress)), stop);
            string path = Path.Combine(parse.GetValue(folder)!, ExperimentRunner.PageFile);
            if (parse.GetValue(json))
            {
                Output.Json(output, json =>
                {
                    json.WriteString("page", path);
                    json.WriteString("text", page);
                });
            }
            else
                output.WriteLine($"{page}\nThe page is in {path}");
            return Program.Success;
        }, loadsModel: false);
    }

    private static string Line(ExperimentProgress progress)
    {
        string left = double.IsNaN(progress.SecondsLeft) ? "" : string.Create(CultureInfo.InvariantCulture, $" | about {progress.SecondsLeft / 60:0} min left");
        return $"step {progress.Step}/{progress.Steps} | {progress.Name}{(progress.Line.Length > 0 ? " | " + progress.Line : "")}{left}";
    }
}
