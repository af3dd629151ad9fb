using System.CommandLine;
using System.Globalization;
using Skiff.Evaluation;
using Skiff.Models;

namespace Skiff.Cli;

/// <summary><c>skiff zoo</c>: the named architectures.</summary>
internal static class ZooVerb
{
    public static Verb Create()
    {
        Argument<string?> filter = new("FILTER") { Description = "Part of a name, or a model_type.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> compare = new("--compare") { Description = "Count architectures by attention, feed-forward, ratio, activation, norm, vocabulary and sharing, half-year by half-year." };
        Option<string?> plot = Flags.Text("--plot", "FILE", "With --compare: an SVG picture of how newer forms spread.");
        Option<bool> json = Flags.Json();
        Verb verb = new("zoo", "List the named architectures of published small models.")
        {
            Examples = ["skiff zoo qwen", "skiff zoo gpt_neox --json", "skiff zoo --compare --plot trends.svg"],
        };
        verb.Arguments.Add(filter);
        foreach (Option option in new Option[] { compare, plot, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(plot) is not null && !result.GetValue(compare))
                result.AddError("--plot needs --compare");
        });
        return verb.Runs((parse, _) =>
        {
            string part = parse.GetValue(filter) ?? "";
            (ZooEntry Entry, ModelConfig Config)[] entries =
                [.. Zoo.Entries.Select(e => (e, e.Config)).Where(e => e.e.Name.Contains(part, StringComparison.OrdinalIgnoreCase) || e.Config.ModelType == part)];
            if (entries.Length == 0)
                Zoo.Find(part);
            TextWriter output = parse.InvocationConfiguration.Output;
            if (parse.GetValue(compare))
            {
                Compare(output, [.. entries.Select(e => e.Entry)], parse.GetValue(plot), parse.GetValue(json));
                return Program.Success;
            }

            if (!parse.GetValue(json))
            {
                Output.Table(output, ["name", "date", "family", "parameters>", "non-embedding>", "layers>", "hidden>", "heads>", "kv>", "ffn>", "vocabulary>", "context>"],
                    [.. entries.Select(e => Row(e.Entry, e.Config))]);
                return Program.Success;
            }

            foreach ((ZooEntry entry, ModelConfig config) in entries)
            {
                Output.Json(output, writer =>
                {
                    writer.WriteString("name", entry.Name);
                    writer.WriteString("title", entry.Title);
                    writer.WriteString("date", entry.Date);
                    writer.WriteString("survey", entry.Survey);
                    if (entry.TrainTokensB is { } tokens)
                        writer.WriteNumber("train_tokens_b", tokens);
                    if (entry.Note is { } note)
                        writer.WriteString("note", note);
                    InfoVerb.WriteFigures(writer, config);
                });
            }

            return Program.Success;
        });
    }

    private static void Compare(TextWriter output, ZooEntry[] entries, string? plot, bool json)
    {
        IReadOnlyList<ZooTrend> trends = ZooTrends.Of(entries);
        if (plot is not null)
            AtomicFile.WriteText(plot, ZooTrends.Picture(entries).ToSvg());
        if (!json)
        {
            string before = "";
            Output.Table(output, ["trait", "form", "models>", .. trends[0].ByHalf.Keys.Select(half => half + ">")], [.. trends.Select(trend =>
            {
                string name = trend.Trait.Name == before ? "" : before = trend.Trait.Name;
                return (string[])[name, trend.Value, Number(trend.Count), .. trend.ByHalf.Values.Select(count => count == 0 ? "" : Number(count))];
            })]);
            return;
        }

        foreach (ZooTrend trend in trends)
        {
            Output.Json(output, writer =>
            {
                writer.WriteString("trait", trend.Trait.Name);
                writer.WriteString("form", trend.Value);
                writer.WriteNumber("models", trend.Count);
                writer.WriteStartObject("by_half_year");
                foreach ((string half, int count) in trend.ByHalf)
                    writer.WriteNumber(half, count);
                writer.WriteEndObject();
            });
        }
    }

    private static string[] Row(ZooEntry entry, ModelConfig config) =>
    [
        entry.Name, entry.Date, config.ModelType, Number(config.ParameterCount), Number(config.NonEmbeddingParameterCount), Number(config.NumHiddenLayers),
        Number(config.HiddenSize), Range(config.Layers.Select(l => l.Heads)), Range(config.Layers.Select(l => l.KeyValueHeads)),
        Range(config.Layers.Select(l => l.IntermediateSize)), Number(config.VocabSize), Number(config.MaxPositionEmbeddings),
    ];

    internal static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    internal static string Range(IEnumerable<int> values)
    {
        int least = values.Min(), most = values.Max();
        return least == most ? Number(least) : $"{Number(least)}-{Number(most)}";
    }
}
