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
            string name = result.Task.Name;
            JsonObject own = new() { ["alias"] = name };
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

        int[] widths = [.. s_head.Select((head, c) => rows.Select(row => row[c].Length).Append(Math.Max(head.Length, 3)).Max())];
        // Version, shots and figures stand to the right.
        bool[] right = [false, true, false, true, false, false, true, false, true];
        StringBuilder table = new();
        Line(s_head);
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
