using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff score</c>: the probability of texts under a model.</summary>
internal static class ScoreVerb
{
    // A line of JSON with more numbers than this would not fit into memory as text.
    private const long MostLogits = 1 << 26;

    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Option<string> jsonl = new("--jsonl")
        {
            Description = "Texts to score, plain or gzip, '-' for standard input. Each line is {\"text\": ...} or {\"ids\": [...]}.",
            HelpName = "FILE",
            Required = true,
        };
        Option<bool> json = Flags.Json("Print a line of JSON a text: ids, logprobs, sum and bits_per_byte.");
        Option<bool> logits = new("--logits") { Description = "With --json: add the logits of every position." };
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer that is not the model's own.");
        Verb verb = new("score", "Compute the log-probability of each token of each text.")
        {
            Examples =
            [
                "skiff score stories260K.bin --jsonl stories.jsonl.gz",
                "echo '{\"text\": \"Once upon a time\"}' | skiff score my-model --jsonl - --json",
            ],
        };
        verb.Arguments.Add(model);
        CacheFlags cache = new();
        foreach (Option option in (Option[])[jsonl, json, logits, tokenizer, .. cache.All])
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(logits) && !result.GetValue(json))
                result.AddError("--logits needs --json");
        });
        return verb.Computes((parse, stop) =>
        {
            Model opened = Model.Open(parse.GetValue(model)!, parse.GetValue(tokenizer));
            string path = parse.GetValue(jsonl)!;
            long total = JsonLines.Count(path);
            using JsonLines lines = JsonLines.Open(path);
            using InferenceEngine engine = new(opened, cache.Read(parse, opened));
            Scorer scorer = new(engine, opened.HasTokenizer ? opened.Tokenizer : null);
            TextWriter output = parse.InvocationConfiguration.Output;
            using Progress progress = new(parse.InvocationConfiguration.Error, "scoring", "texts", total);
            List<TextScore> scores = [];
            Stopwatch watch = Stopwatch.StartNew();
            for (long texts = 1, tokens = 0; lines.Next() is { } line; texts++)
            {
                List<float[]>? rows = parse.GetValue(logits) ? [] : null;
                TextScore score = Score(scorer, line, lines.Source, rows, stop);
                if (parse.GetValue(json))
                    WriteJson(output, score, rows);
                else
                    scores.Add(score);
                tokens += score.Ids.Length;
                progress.Report(texts, $"{tokens / watch.Elapsed.TotalSeconds:0} tokens/s");
            }

            if (!parse.GetValue(json))
                WriteTable(output, scores);
            return Program.Success;
        });
    }

    private static TextScore Score(Scorer scorer, JsonElement line, string source, List<float[]>? rows, CancellationToken stop)
    {
        LogitsVisitor? keep = rows is null ? null : (position, logits) =>
        {
            if ((position + 1L) * logits.Length > MostLogits)
                throw new InvalidInputException(source, "logits", $"more than {MostLogits} numbers for one text; split it");
            rows.Add(logits.ToArray());
        };
        bool hasText = line.TryGetProperty("text", out JsonElement text), hasIds = line.TryGetProperty("ids", out JsonElement ids);
        if (hasText == hasIds)
            throw new InvalidInputException(source, "text", "give either \"text\" or \"ids\"");
        return hasText
            ? scorer.Score(Text(text, source), source, keep, stop)
            : scorer.Score(Ids(ids, source), source, keep, stop);
    }

    internal static string Text(JsonElement text, string source)
    {
        try
        {
            if (text.ValueKind == JsonValueKind.String)
                return text.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // Half of a surrogate pair.
            throw new InvalidInputException(source, "text", "is not valid Unicode", e);
        }

        throw new InvalidInputException(source, "text", "must be a string");
    }

    internal static int[] Ids(JsonElement ids, string source)
    {
        if (ids.ValueKind != JsonValueKind.Array)
            throw new InvalidInputException(source, "ids", "must be an array of whole numbers");
        int[] numbers = new int[ids.GetArrayLength()];
        int count = 0;
        foreach (JsonElement id in ids.EnumerateArray())
        {
            if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out numbers[count++]))
                throw new InvalidInputException(source, "ids", "must be an array of whole numbers");
        }

        return numbers;
    }

    private static void WriteJson(TextWriter output, TextScore score, List<float[]>? rows) => Output.Json(output, json =>
    {
        json.WriteStartArray("ids");
        foreach (int id in score.Ids)
            json.WriteNumberValue(id);
        json.WriteEndArray();
        json.WriteStartArray("logprobs");
        foreach (double? logProbability in score.LogProbabilities)
            json.Figure(logProbability ?? double.NaN);
        json.WriteEndArray();
        json.Figure("sum", score.Sum);
        json.Figure("bits_per_byte", score.BitsPerByte);
        if (rows is null)
            return;
        json.WriteStartArray("logits");
        foreach (float[] row in rows)
        {
            json.WriteStartArray();
            foreach (float logit in row)
                json.Figure(logit);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    });

    // One row a text, and a last one over all of them.
    private static void WriteTable(TextWriter output, List<TextScore> scores)
    {
        List<string[]> rows = [.. scores.Select((score, i) => Row($"{i + 1}", score.Ids.Length, score.Bytes, score.Sum))];
        rows.Add(Row("all", scores.Sum(s => (long)s.Ids.Length), scores.Sum(s => (long)s.Bytes), scores.Sum(s => s.Sum)));
        Output.Table(output, ["text", "tokens>", "bytes>", "sum of ln p>", "bits per byte>"], rows);
    }

    private static string[] Row(string name, long tokens, long bytes, double sum)
    {
        string bits = bytes == 0 ? "-" : (-sum / Math.Log(2) / bytes).ToString("0.0000", CultureInfo.InvariantCulture);
        return [name, $"{tokens}", $"{bytes}", sum.ToString("0.000", CultureInfo.InvariantCulture), bits];
    }
}
