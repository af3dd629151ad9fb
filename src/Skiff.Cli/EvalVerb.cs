using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff eval</c>: what a model can do, by tasks in lm-evaluation-harness's form.</summary>
internal static class EvalVerb
{
    public static Verb Create()
    {
        Argument<string[]> models = new("MODEL") { Description = "A model folder, or a .gguf or llama2.c .bin file; several are compared item by item.", Arity = ArgumentArity.ZeroOrMore };
        Option<string> tasks = new("--tasks") { Description = "Names of tasks and groups, or YAML files, with commas between; 'list' prints those there are.", HelpName = "NAMES", Required = true };
        Option<string?> data = Flags.Text("--data", "FOLDER", "The folder that data files and data sets are looked for in [default: SKIFF_DATA].");
        Option<string?> include = Named(Flags.Text("--include-path", "FOLDER", "Tasks in YAML besides those that come with Skiff."), "--include_path");
        Option<int?> shots = Named(Flags.Whole("--num-fewshot", "Demonstrations in front of each question [default: each task's own number]."), "--num_fewshot");
        Option<string?> several = Flags.Text("--shots", "LIST", "Numbers of demonstrations, each run in turn: 0,1,5. With --plot a picture of accuracy against them.");
        Option<string?> plot = Flags.Text("--plot", "FILE", "With --shots: an SVG picture.");
        Option<int?> limit = Flags.Whole("--limit", "The first N documents of each task alone; such scores are for trying things out.");
        Option<ulong?> seed = Flags.Unsigned("--seed", "Draws demonstrations [default: 1234].");
        Option<bool> chat = new("--apply-chat-template", "--apply_chat_template") { Description = "Put prompts into the model's chat template, as a user's turn." };
        Option<bool> truncate = new("--truncate") { Description = "Cut prompts that are longer than the context at their beginning, and say how many, rather than refuse them." };
        Option<string?> written = Named(Flags.Text("--output-path", "FILE", "Write the results there too, as JSON."), "--output_path");
        Option<string?> log = Named(Flags.Text("--log-samples", "FILE", "Write each item there, a line of JSON: what was asked and what came."), "--log_samples");
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer that is not the model's own.");
        Option<bool> json = Flags.Json("Print the results as one JSON object.");
        Verb verb = new("eval", "Measure what a model can do, by tasks in lm-evaluation-harness's form.")
        {
            Examples =
            [
                "skiff eval my-model --tasks arc_easy,hellaswag --num-fewshot 5 --data ../shared/data",
                "skiff eval my-model.gguf --tasks my-task.yaml --log-samples samples.jsonl --output-path results.json",
                "skiff eval my-model half-taught --tasks arc_easy --shots 0,1,2,3,4,5 --plot shots.svg --data ../shared/data",
                "skiff eval --tasks list",
            ],
        };
        verb.Arguments.Add(models);
        foreach (Option option in new Option[] { tasks, data, include, shots, several, plot, limit, seed, chat, truncate, written, log, tokenizer, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(tasks) != "list" && result.GetValue(models) is null or [])
                result.AddError("name a model to measure");
            if (result.GetValue(limit) is < 1)
                result.AddError("--limit takes 1 or more");
            if (result.GetValue(shots) is < 0)
                result.AddError("--num-fewshot takes 0 or more");
            if (result.GetValue(shots) is not null && result.GetValue(several) is not null)
                result.AddError("--num-fewshot and --shots exclude each other");
            if (result.GetValue(plot) is not null && result.GetValue(several) is null)
                result.AddError("--plot needs --shots");
        });
        return verb.Computes((parse, stop) =>
        {
            TextWriter output = parse.InvocationConfiguration.Output, error = parse.InvocationConfiguration.Error;
            TaskLibrary library = new(parse.GetValue(include));
            string asked = parse.GetValue(tasks)!;
            if (asked == "list")
            {
                foreach (string name in library.Names)
                    output.WriteLine(name);
                return Program.Success;
            }

            IReadOnlyList<TaskConfig> found = library.Find(asked.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
            TaskOptions options = new()
            {
                Limit = parse.GetValue(limit),
                Seed = (uint)(parse.GetValue(seed) ?? TaskPrompts.FewshotSeed),
                ApplyChatTemplate = parse.GetValue(chat),
                Truncate = parse.GetValue(truncate),
            };
            int?[] counts = parse.GetValue(several) is { } list ? [.. Counts(list)] : [parse.GetValue(shots)];
            TaskData documents = new(parse.GetValue(data) ?? Environment.GetEnvironmentVariable("SKIFF_DATA") ?? ".");
            using StreamWriter? samples = parse.GetValue(log) is { } file ? new StreamWriter(file) : null;
            List<(string Model, List<TaskResult> Results)> all = [];
            foreach (string path in parse.GetValue(models)!)
            {
                Model opened = Model.Open(path, parse.GetValue(tokenizer));
                using InferenceEngine engine = new(opened);
                using TaskRunner runner = new(engine, opened, documents);
                List<TaskResult> results = [];
                foreach ((TaskConfig task, int? count) in found.SelectMany(task => counts.Select(count => (task, count))))
                {
                    TaskResult result = Progress.During(error, task.Name, "items", told => runner.Run(
                        task, options with { Shots = count }, (item, answer) => samples?.WriteLine(Sample(path, task, item, answer).ToJsonString()), (done, of) => told(done, of), stop));
                    if (result.Truncated > 0)
                        error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"skiff: {task.Name}: {result.Truncated} prompts were longer than the context of {engine.MaxPositions} and lost their beginnings"));
                    results.Add(result);
                }

                all.Add((path, results));
            }

            TaskComparison[] comparisons = [.. all.Skip(1).SelectMany(other => TaskComparison.Of(all[0].Results, other.Results))];
            JsonObject report = all.Count == 1 ? TaskReport.Json(all[0].Model, all[0].Results, options) : new JsonObject
            {
                ["models"] = new JsonArray([.. all.Select(one => (JsonNode)TaskReport.Json(one.Model, one.Results, options))]),
                ["comparisons"] = TaskReport.Json(comparisons),
            };
            if (parse.GetValue(plot) is { } picture)
                AtomicFile.WriteText(picture, ShotCurves.Picture(all).ToSvg());
            if (parse.GetValue(written) is { } target)
                AtomicFile.WriteText(target, report.ToJsonString() + "\n");
            if (parse.GetValue(json))
                output.WriteLine(report.ToJsonString());
            else
            {
                foreach ((string path, List<TaskResult> results) in all)
                    output.WriteLine((all.Count > 1 ? path + "\n\n" : "") + TaskReport.Table(results).TrimEnd() + (all.Count > 1 ? "\n" : ""));
                if (comparisons.Length > 0)
                    output.WriteLine($"{all[0].Model} less the other\n\n{TaskReport.Table(comparisons).TrimEnd()}");
            }

            return Program.Success;
        });
    }

    private static IEnumerable<int?> Counts(string list)
    {
        foreach (string text in list.Split(','))
            yield return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count < 1000 ? count : throw new InvalidInputException("skiff eval", "--shots", $"takes numbers such as 0,1,5, not '{text}'");
    }

    private static JsonObject Sample(string model, TaskConfig task, TaskItem item, JsonObject answer) => new()
    {
        ["model"] = model,
        ["task"] = task.Name,
        ["doc_id"] = item.Id,
        ["doc"] = item.Document.DeepClone(),
        ["target"] = item.Gold.Count > 0 ? new JsonArray([.. item.Gold.Select(gold => (JsonNode)gold)]) : item.Target,
        ["arguments"] = new JsonArray([.. item.Requests.Select(request => (JsonNode)new JsonArray(request.Context, request.Continuation))]),
        ["resps"] = answer,
    };

    private static Option<T> Named<T>(Option<T> option, string alias)
    {
        option.Aliases.Add(alias);
        return option;
    }
}
