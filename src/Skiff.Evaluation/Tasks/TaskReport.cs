using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>Results of tasks with the keys and columns that lm-evaluation-harness prints.</summary>
public static class TaskReport
{
    private static readonly string[] s_head = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];

    /// <summary>The results object of a model.</summary>
    public static JsonObject Json(string model, IReadOnlyList<TaskResult> results, TaskOptions options)
    {
        JsonObject values = [], versions = [], shots = [], better = [], samples = [];
        foreach (TaskResult result in results)
        {
            // The same task with other demonstrations goes by its name and their number.
            string name = results.Count(other => other.Task.Name == result.Task.Name) > 1 ? $"{result.Task.Name}@{result.Shots}" : result.Task.Name;
            JsonObject own = new() { ["alias"] = result.Task.Name };
            JsonObject directions = [];
            foreach (TaskValue value in result.Values)
            {
                (double mean, double error) = value.Result;
                own[$"{value.Metric.Name},{value.Filter}"] = Number(mean);
                own[$"{value.Metric.Name}_stderr,{value.Filter}"] = double.IsNaN(error) ? "N/A" : Number(error);
                directions[value.Metric.Name] = value.Metric.HigherIsBetter;
            }

            values[name] = own;
            versions[name] = Version(result.Task.Version);
            shots[name] = result.Shots;
            better[name] = directions;
            samples[name] = new JsonObject { ["original"] = result.Items, ["effective"] = result.Items, ["truncated"] = result.Truncated };
        }

        return new JsonObject
        {
            ["results"] = values,
            ["versions"] = versions,
            ["n-shot"] = shots,
            ["higher_is_better"] = better,
            ["n-samples"] = samples,
            ["config"] = new JsonObject { ["model"] = model, ["limit"] = options.Limit, ["fewshot_seed"] = options.Seed, ["apply_chat_template"] = options.ApplyChatTemplate },
        };
    }

    /// <summary>The table.</summary>
    public static string Table(IReadOnlyList<TaskResult> results)
    {
        List<string[]> rows = [];
        foreach (TaskResult result in results)
        {
            bool first = true;
            foreach (TaskValue value in result.Values.OrderBy(value => value.Filter, StringComparer.Ordinal))
            {
                (double mean, double error) = value.Result;
                rows.Add(
                [
                    first ? result.Task.Name : "", first ? Version(result.Task.Version)?.ToString() ?? "" : "", value.Filter, result.Shots.ToString(CultureInfo.InvariantCulture), value.Metric.Name,
                    value.Metric.HigherIsBetter ? "↑" : "↓", mean.ToString("0.0000", CultureInfo.InvariantCulture), "±", double.IsNaN(error) ? "N/A" : error.ToString("0.0000", CultureInfo.InvariantCulture),
                ]);
                first = false;
            }
        }

        return Aligned(s_head, [false, true, false, true, false, false, true, false, true], rows);
    }

    /// <summary>Comparisons as JSON.</summary>
    public static JsonArray Json(IReadOnlyList<TaskComparison> comparisons) => new([.. comparisons.Select(one => (JsonNode)new JsonObject
    {
        ["task"] = one.Task,
        ["metric"] = $"{one.Metric},{one.Filter}",
        ["n-shot"] = one.Shots,
        ["first"] = one.First,
        ["second"] = one.Second,
        ["difference"] = one.Difference.Mean,
        ["low"] = one.Difference.Low,
        ["high"] = one.Difference.High,
        ["mcnemar"] = double.IsNaN(one.McNemar) ? null : one.McNemar,
    })]);

    /// <summary>Comparisons as a table.</summary>
    public static string Table(IReadOnlyList<TaskComparison> comparisons) => Aligned(
        ["Tasks", "Filter", "n-shot", "Metric", "First", "Second", "Difference", "95% interval", "McNemar p"], [false, false, true, false, true, true, true, true, true],
        [.. comparisons.Select(one => (string[])
        [
            one.Task, one.Filter, one.Shots.ToString(CultureInfo.InvariantCulture), one.Metric, Text(one.First), Text(one.Second), Text(one.Difference.Mean, "+0.0000;-0.0000"),
            $"{Text(one.Difference.Low, "+0.0000;-0.0000")} to {Text(one.Difference.High, "+0.0000;-0.0000")}", double.IsNaN(one.McNemar) ? "" : Text(one.McNemar, "0.000"),
        ])]);

    private static string Text(double value, string format = "0.0000") => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Aligned(string[] head, bool[] right, IReadOnlyList<string[]> rows)
    {
        int[] widths = [.. head.Select((name, c) => rows.Select(row => row[c].Length).Append(Math.Max(name.Length, 3)).Max())];
        StringBuilder table = new();
        Line(head);
        table.Append('|').AppendJoin('|', widths.Select((width, c) => new string('-', width - (right[c] ? 1 : 0)) + (right[c] ? ":" : ""))).Append("|\n");
        foreach (string[] row in rows)
            Line(row);
        return table.ToString();

        void Line(string[] cells) => table.Append('|').AppendJoin('|', cells.Select((cell, c) => right[c] ? cell.PadLeft(widths[c]) : cell.PadRight(widths[c]))).Append("|\n");
    }

    // 1.0 is printed as 1.
    private static JsonValue? Version(string text) =>
        text.Length == 0 ? null : double.TryParse(text, CultureInfo.InvariantCulture, out double number) ? JsonValue.Create(number) : JsonValue.Create(text);

    private static JsonValue Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : JsonValue.Create("N/A");
}
