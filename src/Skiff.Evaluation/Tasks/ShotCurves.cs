namespace Skiff.Evaluation;

/// <summary>Accuracy against the number of demonstrations.</summary>
public static class ShotCurves
{
    /// <summary>A line for each task and model, by its first metric.</summary>
    public static LineChart Picture(IReadOnlyList<(string Model, List<TaskResult> Results)> all)
    {
        ChartSeries[] series = [.. all.SelectMany(one => one.Results.GroupBy(result => result.Task.Name).Select(task => new ChartSeries(
            (all.Count > 1 ? Path.GetFileName(one.Model.TrimEnd('/')) + ", " : "") + task.Key, [.. task.OrderBy(result => result.Shots).Select(result => ((double)result.Shots, result.Values[0].Result.Value))])))];
        double[] shots = [.. all[0].Results.Select(result => (double)result.Shots).Distinct().Order()], values = [.. series.SelectMany(one => one.Points.Select(point => point.Y))];
        double low = Math.Floor(values.Min() * 10) / 10, high = Math.Max(low + 0.1, Math.Ceiling(values.Max() * 10) / 10);
        return new LineChart
        {
            Title = "Score against demonstrations",
            XLabel = "demonstrations",
            YLabel = all[0].Results[0].Values[0].Metric.Name,
            XTicks = shots.Length > 1 ? shots : [shots[0], shots[0] + 1],
            YTicks = [.. Enumerable.Range(0, 5).Select(i => low + (i * (high - low) / 4))],
            Series = series,
        };
    }
}
