using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Cli;

/// <summary><c>skiff eval</c>: what a model can do, by tasks in lm-evaluation-harness's form.</summary>
internal static class EvalVerb
{
    public static Verb Create()
    {
        Argument<string?> model = new("MODEL") { Description = "A model folder, or a .gguf or llama2.c .bin file.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> tasks = new("--tasks") { Description = "Names of tasks and groups, or YAML files, with commas between; 'list' prints those there are.", HelpName = "NAMES", Required = true };
        Option<string?> data = Flags.Text("--data", "FOLDER", "The folder that data files and data sets are looked for in [default: SKIFF_DATA].");
        Option<string?> include = Named(Flags.Text("--include-path", "FOLDER", "Tasks in YAML besides those that come with Skiff."), "--include_path");
        Option<int?> shots = Named(Flags.Whole("--num-fewshot", "Demonstrations in front of each question [default: each task's own number]."), "--num_fewshot");
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
                "skiff eval --tasks list",
            ],
        };
        verb.Arguments.Add(model);
        foreach (Option option in new Option[] { tasks, data, include, shots, limit, seed, chat, truncate, written, log, tokenizer, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(tasks) != "list" && result.GetValue(model) is null)
                result.AddError("name a model to measure");
            if (result.GetValue(limit) is < 1)
                result.AddError("--limit takes 1 or more");
            if (result.GetValue(shots) is < 0)
                result.AddError("--num-fewshot takes 0 or more");
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
                Shots = parse.GetValue(shots),
                Limit = parse.GetValue(limit),
                Seed = (uint)(parse.GetValue(seed) ?? TaskPrompts.FewshotSeed),
                ApplyChatTemplate = parse.GetValue(chat),
                Truncate = parse.GetValue(truncate),
            };
            Model opened = Model.Open(parse.GetValue(model)!, parse.GetValue(tokenizer));
            using InferenceEngine engine = new(opened);
            using TaskRunner runner = new(engine, opened, new TaskData(parse.GetValue(data) ?? Environment.GetEnvironmentVariable("SKIFF_DATA") ?? "."));
            using StreamWriter? samples = parse.GetValue(log) is { } file ? new StreamWriter(file) : null;
            List<TaskResult> results = [];
            foreach (TaskConfig task in found)
            {
                TaskResult result = Progress.During(error, task.Name, "items", told => runner.Run(task, options, (item, answer) => samples?.WriteLine(Sample(task, item, answer).ToJsonString()), (done, all) => told(done, all), stop));
                if (result.Truncated > 0)
                    error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"skiff: {task.Name}: {result.Truncated} prompts were longer than the context of {engine.MaxPositions} and lost their beginnings"));
                results.Add(result);
            }

            JsonObject report = TaskReport.Json(parse.GetValue(model)!, results, options);
            if (parse.GetValue(written) is { } path)
                AtomicFile.WriteText(path, report.ToJsonString() + "\n");
            output.WriteLine(parse.GetValue(json) ? report.ToJsonString() : TaskReport.Table(results).TrimEnd());
            return Program.Success;
        });
    }

    private static JsonObject Sample(TaskConfig task, TaskItem item, JsonObject answer) => new()
    {
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
