using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Evaluation;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary><c>skiff search</c>: many sizes within a budget are pruned and taught briefly; the best is taught to the end (Minitron, arXiv 2407.14679, section 2.3).</summary>
internal static class SearchVerb
{
    public static Verb Create()
    {
        Argument<string> teacher = new("TEACHER") { Description = "The model to make a smaller one of: a folder, or a .gguf or llama2.c .bin file." };
        Argument<string> target = new("OUT") { Description = "The model folder to write. Trials, their table and picture lie in OUT-search, and are gone on with where they were interrupted." };
        Option<string[]> data = new("--data") { Description = "Texts to learn on: files, folders or patterns; may be given several times. What matters in the teacher is told by the first.", HelpName = "FILES", Required = true };
        Option<string?> parameters = Flags.Text("--params", "SIZE", "Parameters to keep: 60%, 4.0B, 100M.");
        Option<long?> memory = Flags.Bytes("--memory", "Bytes that weights and a full context of keys and values may take.");
        Option<string?> speed = Flags.Text("--tokens-per-second", "FACTOR", "Leave out sizes that do not generate so many times as fast as the teacher here: 1.5x.");
        Option<int?> candidates = Flags.Whole("--candidates", "Sizes to try at most [default: 6].");
        Option<long?> trial = TrainVerb.Long("--trial-steps", "N", "Optimizer steps of a trial [default: 100].");
        Option<long?> steps = TrainVerb.Long("--steps", "N", "Optimizer steps of the best one behind its trial [default: 500].");
        Option<int?> context = Flags.Whole("--context", "Tokens in a sequence [default: 512, or the model's own where that is less].");
        Option<int?> batch = Flags.Whole("--batch", "Sequences in a step [default: 8].");
        Option<double?> rate = Flags.Real("--learning-rate", "The highest learning rate [default: 3e-4].");
        Option<int?> seed = Flags.Whole("--seed", "Decides the order of the data [default: 0].");
        Option<string[]> set = RunFlags.Set();
        Option<bool> json = Flags.Json("Print one JSON object: all sizes, and the best.");
        Verb verb = new("search", "Try many sizes of a smaller model, each pruned and taught briefly, and teach the best.")
        {
            Examples =
            [
                "skiff search my-model half --data books/ --params 50%",
                "skiff search my-model half --data books/ --params 50% --tokens-per-second 1.8x --candidates 8 --trial-steps 300 --steps 5000",
            ],
        };
        verb.Arguments.Add(teacher);
        verb.Arguments.Add(target);
        foreach (Option option in new Option[] { data, parameters, memory, speed, candidates, trial, steps, context, batch, rate, seed, set, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(parameters) is null == (result.GetValue(memory) is null))
                result.AddError("give one budget: --params or --memory");
        });
        return verb.Computes((parse, stop) =>
        {
            string from = parse.GetValue(teacher)!, to = Path.TrimEndingDirectorySeparator(parse.GetValue(target)!), folder = to + "-search";
            RunFlags.RefuseTaken(to);
            Model model = Model.Open(from);
            ModelConfig config = model.Config;
            TextWriter error = parse.InvocationConfiguration.Error;
            double least = parse.GetValue(speed) is { } factor ? PruneVerb.FactorOf(factor) : 0;
            IReadOnlyList<PruneShape> shapes = parse.GetValue(parameters) is { } size
                ? ShapeSearch.Candidates(config, from, PruneVerb.Parameters, PruneVerb.SizeOf(size, config.ParameterCount), parse.GetValue(candidates) ?? 6)
                : ShapeSearch.Candidates(config, from, PruneVerb.BytesOf(model), parse.GetValue(memory)!.Value, parse.GetValue(candidates) ?? 6);
            int length = parse.GetValue(context) ?? Math.Min(512, config.MaxPositionEmbeddings);
            Directory.CreateDirectory(folder);
            Importance importance = PruneVerb.Scores(model, parse.GetValue(data)![0], Path.Combine(folder, "importance.safetensors"), 1024, length, error, stop);
            string[] common =
            [
                .. RunFlags.Key("distill.teacher", from), .. parse.GetValue(data)!.SelectMany((files, i) => RunFlags.Key($"data.{i}", $"{{files: {RunFlags.Quoted(files)}}}", quote: false)),
                .. RunFlags.Key("context_length", length), .. RunFlags.Key("batch_size", parse.GetValue(batch) ?? 8), .. RunFlags.Key("seed", parse.GetValue(seed)),
                .. RunFlags.Key("optimizer.learning_rate", parse.GetValue(rate) ?? 3e-4), .. RunFlags.Key("schedule", "{form: cosine, floor: 0.1}", quote: false), .. parse.GetValue(set) ?? [],
            ];
            Trial[] trials = [.. shapes.Select((shape, i) =>
            {
                stop.ThrowIfCancellationRequested();
                Model small = PrunedModel.Of(model, shape.Rank(config, importance, from));
                string name = string.Create(CultureInfo.InvariantCulture, $"{small.Config.NumHiddenLayers}x{small.Config.HiddenSize}x{small.Config.Layers[0].IntermediateSize}"), pruned = Path.Combine(folder, name);
                error.WriteLine($"skiff: size {i + 1} of {shapes.Count}: {name} (blocks x channels x neurons), {small.Config.ParameterCount:N0} parameters");
                double gain = ShapeSpeed.Ratio(model, small);
                if (gain < least)
                    return new Trial(name, small.Config, gain, null);
                if (!Directory.Exists(pruned))
                    ModelWriter.Write(small, pruned);
                if (!Directory.Exists(pruned + "-taught"))
                    RunFlags.Run([.. RunFlags.Key("output", pruned + "-run"), .. RunFlags.Key("init_from", pruned), .. common, .. RunFlags.Key("steps", parse.GetValue(trial) ?? 100)], "skiff search", pruned + "-taught", error, error, json: false, stop);
                return new Trial(name, small.Config, gain, LossOf(pruned + "-run"));
            })];
            Trial best = trials.Where(trial => trial.Loss is not null).MinBy(trial => trial.Loss)
                ?? throw new InvalidInputException(from, "--tokens-per-second", string.Create(CultureInfo.InvariantCulture, $"{least}x is out of reach within the budget: the fastest size tried is {trials.Max(trial => trial.Speed):0.00}x as fast here"));
            AtomicFile.WriteText(Path.Combine(folder, "search.svg"), Picture(trials).ToSvg());
            error.WriteLine($"skiff: {best.Name} loses least and is taught on; the picture is {Path.Combine(folder, "search.svg")}");
            RunFlags.Run(
                [.. RunFlags.Key("output", to + "-run"), .. RunFlags.Key("init_from", Path.Combine(folder, best.Name + "-taught")), .. common, .. RunFlags.Key("steps", parse.GetValue(steps) ?? 500)], "skiff search", to, error, error, json: false, stop);
            Print(parse.InvocationConfiguration.Output, trials, best, parse.GetValue(json));
            error.WriteLine($"skiff: the student is in {to}");
            return Program.Success;
        }, loadsModel: false);
    }

    // The last that was measured on texts that are held out; of a small corpus without any, of those trained on.
    private static double LossOf(string run)
    {
        IReadOnlyList<MetricsLine> lines = new MetricsReader(Path.Combine(run, MetricsReader.FileName)).Read().Lines;
        return lines.LastOrDefault(line => line.ValidationLoss is not null)?.ValidationLoss ?? lines.Last(line => line.IsTraining).Loss ?? double.NaN;
    }

    // No size loses less and is as fast.
    private static bool IsBest(Trial trial, Trial[] trials) => trial.Loss is not null && !trials.Any(other => other.Loss < trial.Loss && other.Speed >= trial.Speed);

    private static LineChart Picture(Trial[] trials)
    {
        Trial[] taught = [.. trials.Where(trial => trial.Loss is not null)];
        return new LineChart
        {
            Title = "Sizes within the budget: loss after the trial, and speed",
            XLabel = "speed of generation, times the teacher's",
            YLabel = "loss, nats a token",
            XTicks = Ticks(taught.Select(trial => trial.Speed)),
            YTicks = Ticks(taught.Select(trial => trial.Loss!.Value)),
            Series =
            [
                new ChartSeries("none is better in both", [.. taught.Where(trial => IsBest(trial, trials)).OrderBy(trial => trial.Speed).Select(trial => (trial.Speed, trial.Loss!.Value))]),
                .. taught.Select(trial => new ChartSeries(trial.Name, [(trial.Speed, trial.Loss!.Value)], Line: false)),
            ],
        };
    }

    private static double[] Ticks(IEnumerable<double> values)
    {
        double low = values.Min(), high = values.Max(), room = Math.Max(0.1 * (high - low), 0.01);
        return [.. Enumerable.Range(0, 5).Select(i => Math.Round(low - room + (i * (high - low + (2 * room)) / 4), 3))];
    }

    private static void Print(TextWriter output, Trial[] trials, Trial best, bool json)
    {
        if (json)
        {
            output.WriteLine(new JsonObject
            {
                ["best"] = best.Name,
                ["sizes"] = new JsonArray([.. trials.OrderBy(trial => trial.Loss ?? double.PositiveInfinity).Select(trial => (JsonNode)new JsonObject
                {
                    ["name"] = trial.Name,
                    ["layers"] = trial.Config.NumHiddenLayers,
                    ["hidden"] = trial.Config.HiddenSize,
                    ["ffn"] = trial.Config.Layers[0].IntermediateSize,
                    ["parameters"] = trial.Config.ParameterCount,
                    ["speed"] = Math.Round(trial.Speed, 3),
                    ["loss"] = trial.Loss,
                    ["pareto"] = IsBest(trial, trials),
                })]),
            }.ToJsonString());
            return;
        }

        output.WriteLine("blocks x channels x neurons   parameters   speed    loss");
        foreach (Trial trial in trials.OrderBy(trial => trial.Loss ?? double.PositiveInfinity))
        {
            string loss = trial.Loss is { } own ? string.Create(CultureInfo.InvariantCulture, $"{own:0.0000}{(trial == best ? "  the best" : IsBest(trial, trials) ? "  none loses less and is as fast" : "")}") : "too slow, not taught";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{trial.Name,-28}{trial.Config.ParameterCount,12:N0}  {trial.Speed,5:0.00}x  {loss}"));
        }
    }

    private sealed record Trial(string Name, ModelConfig Config, double Speed, double? Loss);
}
