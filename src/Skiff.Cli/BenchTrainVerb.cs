using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary><c>skiff bench train</c>: matrix products and whole training steps as shares of the measured arithmetic peak.</summary>
internal static class BenchTrainVerb
{
    public static Verb Create()
    {
        Option<string?> form = new("--output", "-o") { Description = "json for one JSON object; by default tables.", HelpName = "FORM" };
        form.AcceptOnlyFromAmong("json", "table");
        Option<int?> batch = Flags.Whole("--batch-size", "Sequences of 256 tokens a step (32).");
        Option<int?> rounds = Flags.Whole("--rounds", "Measurements of each figure, of which the median counts (9).");
        Option<int?> segment = Flags.Whole("--segment", "Instead: steps under full attention and with anchors that close a segment every N tokens, at growing contexts.");
        Verb verb = new("train", "Time training: products of training shapes, and steps of two Llama models, against the measured peak.")
        {
            Examples = ["skiff bench train", "skiff bench train -o json", "skiff bench train --segment 20"],
        };
        foreach (Option option in new Option[] { form, batch, rounds, segment })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            // What belongs to 'skiff bench MODEL' would have no effect here.
            if (result.Parent is CommandResult bench && bench.Children.FirstOrDefault(c => c.Tokens.Count > 0 && c is not CommandResult) is { } stray)
                result.AddError($"'{stray.Tokens[0].Value}' stands before 'train', which takes no model");
        });
        return verb.Computes((parse, stop) =>
        {
            int sequences = parse.GetValue(batch) ?? 32, times = parse.GetValue(rounds) ?? 9;
            if (sequences < 1 || times < 1)
                throw new InvalidInputException("bench train", sequences < 1 ? "--batch-size" : "--rounds", "must be at least 1");
            if (parse.GetValue(segment) is { } length)
            {
                if (length < 1 || parse.GetValue(batch) is not null)
                    throw new InvalidInputException("bench train", length < 1 ? "--segment" : "--batch-size", length < 1 ? "must be at least 1" : "has no effect with --segment: every step has 8192 tokens");
                WriteSegments(parse.InvocationConfiguration.Output, parse.InvocationConfiguration.Error, length, times, parse.GetValue(form) == "json", stop);
                return Program.Success;
            }

            List<double> peaks = [];
            List<ProductFigures> products = [];
            List<StepFigures> steps = [];
            int total = TrainingBenchmark.Widths.Count * (times + 6), done = 0;
            using (Progress progress = new(parse.InvocationConfiguration.Error, "measuring", "parts", total))
            {
                void Tick(int _)
                {
                    stop.ThrowIfCancellationRequested();
                    progress.Report(done++);
                }

                foreach (int width in TrainingBenchmark.Widths)
                    steps.Add(TrainingBenchmark.Steps(width, sequences, times, peaks, Tick));
                foreach (int width in TrainingBenchmark.Widths)
                    products.AddRange(TrainingBenchmark.Products(width, sequences, times, peaks, Tick));
            }

            if (parse.GetValue(form) == "json")
                WriteJson(parse.InvocationConfiguration.Output, peaks, products, steps);
            else
                WriteTables(parse.InvocationConfiguration.Output, peaks, products, steps);
            return Program.Success;
        }, loadsModel: false);
    }

    private static void WriteSegments(TextWriter output, TextWriter error, int length, int rounds, bool asJson, CancellationToken stop)
    {
        List<SegmentFigures> figures = [];
        using (Progress progress = new(error, "measuring", "contexts", SegmentBenchmark.Contexts.Count))
        {
            foreach (int context in SegmentBenchmark.Contexts)
            {
                stop.ThrowIfCancellationRequested();
                figures.Add(SegmentBenchmark.Measure(context, length, rounds));
                progress.Report(figures.Count);
            }
        }

        if (asJson)
        {
            foreach (SegmentFigures f in figures)
            {
                Output.Json(output, json =>
                {
                    json.WriteNumber("context", f.Context);
                    json.Figure("full_tokens_per_second", f.Full);
                    json.Figure("anchor_tokens_per_second", f.Anchors);
                    json.Figure("ratio", f.Ratio);
                });
            }

            return;
        }

        Output.Table(output, ["context>", "full tokens/s>", "anchors tokens/s>", "ratio>"],
            [.. figures.Select(f => (string[])[$"{f.Context}", F(f.Full, "0"), F(f.Anchors, "0"), F(f.Ratio, "0.00")])]);

        static string F(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }

    private static void WriteJson(TextWriter output, List<double> peaks, List<ProductFigures> products, List<StepFigures> steps) => Output.Json(output, json =>
    {
        json.WriteNumber("threads", ThreadTeam.Default.Threads);
        json.Figure("peak_gflops", Math.Round(peaks.Max() / 1e9, 1));
        json.Figure("peak_gflops_median", Math.Round(Median(peaks) / 1e9, 1));
        json.WriteStartArray("gemm");
        foreach (ProductFigures product in products)
        {
            json.WriteStartObject();
            json.WriteString("layer", product.Layer);
            json.WriteString("product", product.Product);
            json.WriteStartArray("shape");
            json.WriteNumberValue(product.Rows);
            json.WriteNumberValue(product.Inputs);
            json.WriteNumberValue(product.Outputs);
            json.WriteEndArray();
            json.Figure("gflops", Math.Round(product.Gflops, 1));
            json.Figure("share", Math.Round(product.Share, 4));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("steps");
        foreach (StepFigures step in steps)
        {
            json.WriteStartObject();
            json.WriteString("name", step.Name);
            json.WriteNumber("params", step.Params);
            json.Figure("tokens_per_second", Math.Round(step.TokensPerSecond, 1));
            json.Figure("gflops_6n", Math.Round(step.Gflops6N, 1));
            json.Figure("share_of_peak", Math.Round(step.ShareOfPeak, 4));
            json.Figure("peak_rss_mb", Math.Round(step.PeakRssMb, 1));
            json.WriteStartArray("operations");
            foreach ((string operation, bool backward, double share) in step.Operations)
            {
                json.WriteStartObject();
                json.WriteString("operation", operation);
                json.WriteString("pass", Pass(backward));
                json.Figure("share_of_time", Math.Round(share, 4));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static void WriteTables(TextWriter output, List<double> peaks, List<ProductFigures> products, List<StepFigures> steps)
    {
        output.WriteLine($"peak: {Text(peaks.Max() / 1e9)} GFLOP/s on {ThreadTeam.Default.Threads} threads, {Text(Median(peaks) / 1e9)} in the median");
        output.WriteLine();
        Output.Table(output, ["step", "parameters>", "tokens/s>", "6N GFLOP/s>", "of peak>", "peak MB>"],
            [.. steps.Select(s => new[] { s.Name, $"{s.Params}", Text(s.TokensPerSecond), Text(s.Gflops6N), Share(s.ShareOfPeak), Text(s.PeakRssMb) })]);
        foreach (StepFigures step in steps)
        {
            output.WriteLine();
            double rest = 1 - step.Operations.Sum(o => o.Share);
            Output.Table(output, [step.Name, "", "of time>"], [.. step.Operations.Select(o => new[] { o.Operation, Pass(o.Backward), Share(o.Share) }), ["optimizer, clipping", "", Share(rest)]]);
        }

        output.WriteLine();
        Output.Table(output, ["product", "", "rows>", "inputs>", "outputs>", "GFLOP/s>", "of peak>"],
            [.. products.Select(p => new[] { p.Layer, p.Product, $"{p.Rows}", $"{p.Inputs}", $"{p.Outputs}", Text(p.Gflops), Share(p.Share) })]);
    }

    private static string Pass(bool backward) => backward ? "backward" : "forward";

    private static string Text(double value) => value.ToString("0", CultureInfo.InvariantCulture);

    private static string Share(double value) => value.ToString("0%", CultureInfo.InvariantCulture);

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
