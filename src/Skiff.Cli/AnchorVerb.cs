using System.CommandLine;
using Skiff.Models;

namespace Skiff.Cli;

/// <summary><c>skiff anchor</c>: trains a model on, so that its cache may forget all of a closed segment but its anchors.</summary>
internal static class AnchorVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> target = new("OUT") { Description = "The model folder to write. The run that makes it lies in OUT-run, and is gone on with where it was interrupted." };
        Option<string[]> data = new("--data") { Description = "Texts to train on: files, folders or patterns; may be given several times.", HelpName = "FILES", Required = true };
        Option<string> kind = Choice("--anchors", "What closes a segment: the end of its own text, or an added token behind it.", "endpoint", "added");
        kind.Required = true;
        Option<string> unit = Choice("--unit", "What a segment is: a sentence [default], or a line.", "sentence", "line");
        Option<string[]> ends = new("--end-token") { Description = "A token that ends a segment, in place of the unit's ends; may be given several times.", HelpName = "TEXT" };
        Option<bool> see = new("--anchors-see-anchors") { Description = "An anchor sees the anchors before it too." };
        Option<int?> each = Flags.Whole("--anchors-per-segment", "Last tokens of a segment that stay [default: 1].");
        Option<int?> group = Flags.Whole("--segments-per-group", "Let each so many-th anchor take in those since the last such, and stay in their place [default: none does].");
        Option<int?> longest = Flags.Whole("--max-segment", "Close a segment by force when it comes to this many tokens [default: never].");
        Option<int?> sinks = Flags.Whole("--sinks", "First tokens that all see [default: 0].");
        Option<int?> last = Flags.Whole("--last-visible", "Last tokens that are seen whatever their segment [default: 0].");
        Option<double?> full = Flags.Real("--full-share", "The share of sequences trained under full attention, so that one model serves both [default: 0].");
        Option<long?> steps = TrainVerb.Long("--steps", "N", "Optimizer steps [default: 500].");
        Option<int?> context = Flags.Whole("--context", "Tokens in a sequence [default: 512, or the model's own where that is less].");
        Option<int?> batch = Flags.Whole("--batch", "Sequences in a step [default: 8].");
        Option<double?> rate = Flags.Real("--learning-rate", "The highest learning rate [default: 3e-4].");
        Option<int?> seed = Flags.Whole("--seed", "Decides the order of the data [default: 0].");
        Option<string[]> set = RunFlags.Set();
        Option<bool> json = Flags.Json("Print each line of metrics.jsonl as it is written.");
        Verb verb = new("anchor", "Train a model on so that its cache shrinks: of closed segments it keeps their anchors alone.")
        {
            Examples =
            [
                "skiff anchor my-model anchored --data books/ --anchors endpoint --steps 1000",
                "skiff anchor my-model anchored --data tasks.jsonl --anchors added --unit line --full-share 0.5",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(target);
        foreach (Option option in new Option[] { data, kind, unit, ends, see, each, group, longest, sinks, last, full, steps, context, batch, rate, seed, set, json })
            verb.Options.Add(option);
        return verb.Computes((parse, stop) =>
        {
            string from = parse.GetValue(model)!, to = Path.TrimEndingDirectorySeparator(parse.GetValue(target)!), source = "skiff anchor";
            RunFlags.RefuseTaken(to);
            int longestContext = Model.OpenConfig(from).MaxPositionEmbeddings;
            string[] sets =
            [
                .. RunFlags.Key("output", to + "-run"), .. RunFlags.Key("init_from", from), .. parse.GetValue(data)!.SelectMany((files, i) => RunFlags.Key($"data.{i}", $"{{files: {RunFlags.Quoted(files)}}}", quote: false)),
                .. RunFlags.Key("anchors", $"{{kind: {parse.GetValue(kind)}}}", quote: false), .. RunFlags.Key("anchors.unit", parse.GetValue(unit)),
                .. (parse.GetValue(ends) ?? []).SelectMany((text, i) => RunFlags.Key($"anchors.end_tokens.{i}", text)),
                .. RunFlags.Key("anchors.anchors_see_anchors", parse.GetValue(see) ? "true" : null, quote: false), .. RunFlags.Key("anchors.anchors_per_segment", parse.GetValue(each)),
                .. RunFlags.Key("anchors.segments_per_group", parse.GetValue(group)), .. RunFlags.Key("anchors.max_segment", parse.GetValue(longest)), .. RunFlags.Key("anchors.sinks", parse.GetValue(sinks)), .. RunFlags.Key("anchors.last_visible", parse.GetValue(last)),
                .. RunFlags.Key("anchors.full_share", parse.GetValue(full)), .. RunFlags.Key("steps", parse.GetValue(steps) ?? 500), .. RunFlags.Key("context_length", parse.GetValue(context) ?? Math.Min(512, longestContext)),
                .. RunFlags.Key("batch_size", parse.GetValue(batch) ?? 8), .. RunFlags.Key("optimizer.learning_rate", parse.GetValue(rate) ?? 3e-4), .. RunFlags.Key("seed", parse.GetValue(seed)),
                .. RunFlags.Key("schedule", "{form: cosine, floor: 0.1}", quote: false), .. parse.GetValue(set) ?? [],
            ];
            RunFlags.Run(sets, source, to, parse, json, stop);
            parse.InvocationConfiguration.Error.WriteLine($"skiff: the model is in {to}: skiff generate {to} --explain-cache shows what its cache keeps");
            return Program.Success;
        }, loadsModel: false);
    }

    private static Option<string> Choice(string name, string description, params string[] choices)
    {
        Option<string> option = new(name) { Description = description, HelpName = string.Join('|', choices) };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !choices.Contains(result.Tokens[^1].Value))
                result.AddError($"{name} takes {string.Join(" or ", choices)}, not '{result.Tokens[^1].Value}'");
        });
        return option;
    }
}
