using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff prune</c>: what matters least in a model goes.</summary>
internal static class PruneVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> target = new("OUT") { Description = "A model folder, or a file ending in .gguf." };
        Option<string?> data = Flags.Text("--data", "FILE", "A text of the kind the model is for, .txt or .jsonl, also .gz: what it stirs least goes.");
        Option<string?> scores = Flags.Text("--importance", "FILE", "Keep the scores there; if the file is there, take them from it and read no text.");
        Option<int?> samples = Flags.Whole("--samples", "Pieces of the text to read at most [default: 1024].");
        Option<int?> length = Flags.Whole("--context", "Tokens of a piece [default: 512, or the model's own where that is less].");
        Option<string?> parameters = Flags.Text("--params", "SIZE", "Parameters to keep: 60%, 4.0B, 100M.");
        Option<long?> memory = Flags.Bytes("--memory", "Bytes that weights and a full context of keys and values may take.");
        Option<string?> speed = Flags.Text("--tokens-per-second", "FACTOR", "Speed of generation to reach, as a multiple of the model's own here: 1.5x.");
        Option<string?> ways = Flags.Text("--ways", "width|depth|both", "What gives way to a budget [default: width].");
        Option<int?> layers = Flags.Whole("--layers", "Blocks to keep; the run that changes the text's stream least goes.");
        Option<string?> by = Flags.Text("--layers-by", "influence|loss", "How the run of blocks that goes is found: by how little it turns the stream [default], or by the text's loss without it, a run at a time.");
        Option<string?> kept = Flags.Text("--keep-layers", "LIST", "Blocks to keep by number from 0: 0-14,31.");
        Option<int?> hidden = Flags.Whole("--hidden", "Channels of the residual stream.");
        Option<int?> ffn = Flags.Whole("--ffn", "Feed-forward width, of each expert in a mixture.");
        Option<int?> heads = Flags.Whole("--heads", "Query heads; as many in each group of key-value heads.");
        Option<int?> experts = Flags.Whole("--experts", "Experts.");
        Option<int?> random = Flags.Whole("--random", "Let chance by this seed choose what goes, whatever it is worth and without a text: shows what the scores are worth.");
        Option<string?> aggregation = Flags.Text("--aggregation", "BATCH,SEQUENCE", "How scores add up over pieces and tokens, each mean, l2 or variance [default: l2,mean].");
        Option<string?> residual = Flags.Text("--fold-heads", "off|literal|flipped", "Fold what heads that go differ by into those that stay; as printed (literal) it harmed here [default: off].");
        Option<bool> json = Flags.Json();
        Verb verb = new("prune", "Make a smaller model of a larger one: channels, neurons, heads, blocks and experts that matter least go. Distil it afterwards.")
        {
            Examples =
            [
                "skiff prune my-model half --data books.txt --params 50%",
                "skiff prune my-model short --data books.txt --importance scores.safetensors --layers 16",
                "skiff prune my-model small --importance scores.safetensors --hidden 768 --ffn 2048",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(target);
        foreach (Option option in new Option[] { data, scores, samples, length, parameters, memory, speed, ways, layers, by, kept, hidden, ffn, heads, experts, random, aggregation, residual, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            int budgets = new[] { result.GetValue(parameters) is not null, result.GetValue(memory) is not null, result.GetValue(speed) is not null }.Count(given => given);
            bool exact = result.GetValue(layers) is not null || result.GetValue(kept) is not null || result.GetValue(hidden) is not null || result.GetValue(ffn) is not null
                || result.GetValue(heads) is not null || result.GetValue(experts) is not null;
            if (budgets + (exact ? 1 : 0) != 1)
                result.AddError("give one budget (--params, --memory or --tokens-per-second), or exact sizes (--layers, --keep-layers, --hidden, --ffn, --heads, --experts)");
            bool scored = result.GetValue(data) is not null || result.GetValue(scores) is not null;
            if (!scored && result.GetValue(random) is null)
                result.AddError("--data or --importance is needed: what matters is told by what a text stirs");
            if (scored && result.GetValue(random) is not null)
                result.AddError("--random asks for no text: leave --data and --importance out");
        });
        return verb.Computes((parse, stop) =>
        {
            string from = parse.GetValue(model)!, to = parse.GetValue(target)!;
            Model opened = Model.Open(from);
            ModelConfig config = opened.Config;
            TextWriter error = parse.InvocationConfiguration.Error;
            (Aggregation batch, Aggregation sequence) = Aggregations(parse.GetValue(aggregation));
            PruneWays way = Word<PruneWays>("--ways", parse.GetValue(ways), PruneWays.Width);
            PruneShape shape = parse.GetValue(parameters) is { } size ? ShapeSearch.Fit(config, from, way, Parameters, SizeOf(size, config.ParameterCount), "parameters")
                : parse.GetValue(memory) is { } bytes ? ShapeSearch.Fit(config, from, way, BytesOf(opened), bytes, "bytes")
                : parse.GetValue(speed) is { } factor ? ShapeSpeed.Fit(opened, way, FactorOf(factor), (done, all) => error.WriteLine($"skiff: {done} of {all} sizes timed"), stop)
                : new PruneShape
                {
                    LayerCount = parse.GetValue(layers),
                    Layers = parse.GetValue(kept) is { } list ? Numbers(list) : null,
                    Hidden = parse.GetValue(hidden),
                    Intermediate = parse.GetValue(ffn),
                    Heads = parse.GetValue(heads),
                    Experts = parse.GetValue(experts),
                };
            shape = shape with { RandomSeed = parse.GetValue(random), HeadResidual = parse.GetValue(residual) switch { null or "off" => 0, "literal" => 1, "flipped" => -1, var other => throw new InvalidInputException("skiff prune", "--fold-heads", $"is off, literal or flipped, not '{other}'") } };
            // What cannot be had is said before a text is read.
            PrunedModel.Of(opened, shape.Rank(config, null, from));
            Importance? importance = shape.RandomSeed is not null ? null : Scores(opened, parse.GetValue(data), parse.GetValue(scores), parse.GetValue(samples) ?? 1024, parse.GetValue(length) ?? 512, error, stop);
            if (Word<LayerChoice>("--layers-by", parse.GetValue(by), LayerChoice.Influence) == LayerChoice.Loss && shape is { Layers: null, LayerCount: { } count } && count < config.NumHiddenLayers)
                shape = shape with { Layers = ByLoss(opened, count, parse.GetValue(data), parse.GetValue(length) ?? 512, error, stop) };
            Model small = PrunedModel.Of(opened, shape.Rank(config, importance, from, batch, sequence));
            ConvertVerb.Save(small, to, error, (progress, note) => ModelWriter.Write(small, to, null, progress, note), stop);
            Print(parse.InvocationConfiguration.Output, config, small.Config, parse.GetValue(json));
            error.WriteLine($"skiff: {to} has forgotten much of what its sizes leave room for: skiff distill {from} {to} OUT --data FILES teaches it again");
            return Program.Success;
        }, loadsModel: false);
    }

    private enum LayerChoice
    {
        Influence,
        Loss,
    }

    // A few pieces tell runs of blocks apart.
    private static int[] ByLoss(Model model, int count, string? text, int length, TextWriter error, CancellationToken stop)
    {
        const int Pieces = 16;
        if (text is null)
            throw new InvalidInputException("skiff prune", "--data", "is missing: --layers-by loss reads a text without each run of blocks");
        using Progress progress = new(error, "leaving blocks out", "runs", count + 1);
        return DepthSearch.Best(model, count, text, Pieces, length, (done, _) => progress.Report(done), stop);
    }

    internal static double Parameters(ModelConfig config) => config.ParameterCount;

    /// <summary>Bytes of weights as the model stores them, and of a full context of keys and values.</summary>
    internal static Func<ModelConfig, double> BytesOf(Model model) => small =>
        ((double)model.Type.ByteLength(1 << 20) / (1 << 20) * small.ParameterCount) + (4.0 * small.CacheValuesPerToken * small.MaxPositionEmbeddings);

    internal static Importance Scores(Model model, string? text, string? path, int samples, int length, TextWriter error, CancellationToken stop)
    {
        if (path is not null && File.Exists(path))
            return Importance.Read(path, model.Config);
        if (text is null)
            throw new InvalidInputException(path!, "--importance", "is not there: give --data, and it is written");
        Importance importance = Progress.During(error, "scoring", "pieces", told => Importance.Measure(model, text, samples, length, (done, all) => told(done, all), stop));
        if (path is not null)
            importance.Write(path, Path.GetFileName(text));
        return importance;
    }

    private static void Print(TextWriter output, ModelConfig before, ModelConfig after, bool json)
    {
        if (json)
        {
            output.WriteLine(new JsonObject
            {
                ["parameters"] = after.ParameterCount,
                ["parameters_before"] = before.ParameterCount,
                ["layers"] = after.NumHiddenLayers,
                ["hidden"] = after.HiddenSize,
                ["ffn"] = after.Layers[0].IntermediateSize,
                ["heads"] = after.Layers[^1].Heads,
                ["experts"] = after.NumLocalExperts,
                ["cache_values_per_token"] = after.CacheValuesPerToken,
            }.ToJsonString());
            return;
        }

        output.WriteLine($"parameters  {before.ParameterCount:N0} -> {after.ParameterCount:N0} ({100.0 * after.ParameterCount / before.ParameterCount:0.0}%)");
        output.WriteLine($"blocks      {before.NumHiddenLayers} -> {after.NumHiddenLayers}");
        output.WriteLine($"channels    {before.HiddenSize} -> {after.HiddenSize}");
        output.WriteLine($"neurons     {before.Layers[0].IntermediateSize} -> {after.Layers[0].IntermediateSize}");
        output.WriteLine($"heads       {before.Layers[^1].Heads} -> {after.Layers[^1].Heads}");
        if (before.NumLocalExperts > 0)
            output.WriteLine($"experts     {before.NumLocalExperts} -> {after.NumLocalExperts}");
        output.WriteLine($"cache       {before.CacheValuesPerToken} -> {after.CacheValuesPerToken} values a token");
    }

    private static (Aggregation Batch, Aggregation Sequence) Aggregations(string? text) => text?.Split(',') switch
    {
        null => (Aggregation.L2, Aggregation.Mean),
        [var batch, var sequence] => (Word("--aggregation", batch, Aggregation.L2), Word("--aggregation", sequence, Aggregation.Mean)),
        _ => throw new InvalidInputException("skiff prune", "--aggregation", $"takes two of mean, l2 and variance with a comma between, not '{text}'"),
    };

    private static T Word<T>(string flag, string? text, T absent)
        where T : struct, Enum => text is null ? absent
        : Enum.TryParse(text, ignoreCase: true, out T value) && !char.IsAsciiDigit(text[0]) ? value
        : throw new InvalidInputException("skiff prune", flag, $"takes {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}, not '{text}'");

    // 60%, 4.0B, 100M, 3500000.
    internal static double SizeOf(string text, double all)
    {
        int power = text.Length == 0 ? -1 : "%KMB".IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal);
        string digits = power >= 0 ? text[..^1] : text;
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) || number <= 0)
            throw new InvalidInputException("skiff prune", "--params", $"takes a share or a count, 60% or 4.0B or 100M, not '{text}'");
        return power == 0 ? number / 100 * all : number * Math.Pow(1000, Math.Max(0, power));
    }

    internal static double FactorOf(string text) =>
        double.TryParse(text.TrimEnd('x', 'X'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double factor) && factor > 1
            ? factor
            : throw new InvalidInputException("skiff prune", "--tokens-per-second", $"takes a factor above 1 such as 1.5x, not '{text}'");

    // 0-14,31.
    internal static int[] Numbers(string text)
    {
        SortedSet<int> numbers = [];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !ends.All(end => int.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
                throw new InvalidInputException("skiff prune", "--keep-layers", $"takes numbers and ranges such as 0-14,31, not '{text}'");
            int first = int.Parse(ends[0], CultureInfo.InvariantCulture), last = int.Parse(ends[^1], CultureInfo.InvariantCulture);
            if (last < first || last > 1 << 16)
                throw new InvalidInputException("skiff prune", "--keep-layers", $"'{part}' is no range");
            numbers.UnionWith(Enumerable.Range(first, last - first + 1));
        }

        return [.. numbers];
    }
}
