namespace Skiff.Evaluation;

/// <summary>Two models on the same items of a task.</summary>
/// <param name="Task">Which.</param>
/// <param name="Metric">Which, a mean over items.</param>
/// <param name="Filter">The filter's name.</param>
/// <param name="Shots">Demonstrations.</param>
/// <param name="First">The first model's mean.</param>
/// <param name="Second">The other's.</param>
/// <param name="Difference">First less second, with its paired 95% interval.</param>
/// <param name="McNemar">How likely so uneven a split of the items on which they differ is by chance; NaN where items are not right or wrong.</param>
public sealed record TaskComparison(string Task, string Metric, string Filter, int Shots, double First, double Second, Interval Difference, double McNemar)
{
    private static readonly string[] s_means = ["acc", "acc_norm", "acc_bytes", "mc1", "mc2", "exact_match"];

    /// <summary>All that two models' results have in common, metrics that are means over items.</summary>
    public static IReadOnlyList<TaskComparison> Of(IReadOnlyList<TaskResult> first, IReadOnlyList<TaskResult> second)
    {
        List<TaskComparison> comparisons = [];
        foreach ((TaskResult a, TaskResult b) in first.Zip(second))
        {
            foreach ((TaskValue own, TaskValue other) in a.Values.Zip(b.Values).Where(pair => s_means.Contains(pair.First.Metric.Name)))
            {
                double[] x = [.. own.Parts.Select(part => part.Value)], y = [.. other.Parts.Select(part => part.Value)];
                bool binary = x.Concat(y).All(value => value is 0 or 1);
                comparisons.Add(new TaskComparison(
                    a.Task.Name, own.Metric.Name, own.Filter, a.Shots, x.Average(), y.Average(), Paired.Difference(x, y, [.. Enumerable.Range(0, x.Length)]), binary ? Paired.McNemar(x, y) : double.NaN));
            }
        }

        return comparisons;
    }
}
