using System.Text;
using System.Text.RegularExpressions;

namespace Skiff.Evaluation;

/// <summary>What an item adds to a metric: the part counted, and what it is counted over.</summary>
public readonly record struct MetricPart(double Value, double Weight = 1);

/// <summary>The metrics of tasks, item by item.</summary>
internal static class TaskMetrics
{
    private const string Perplexity = "perplexity", WordPerplexity = "word_perplexity", BytePerplexity = "byte_perplexity", BitsPerByte = "bits_per_byte";

    private static readonly string[] s_choice = ["acc", "acc_norm", "acc_bytes", "mc1", "mc2"], s_likelihood = [Perplexity, "acc"], s_rolling = [WordPerplexity, BytePerplexity, BitsPerByte], s_generation = ["exact_match"];

    /// <summary>Those that a kind of task has.</summary>
    public static IReadOnlyList<string> Of(TaskOutput output) => output switch
    {
        TaskOutput.MultipleChoice => s_choice,
        TaskOutput.Loglikelihood => s_likelihood,
        TaskOutput.LoglikelihoodRolling => s_rolling,
        _ => s_generation,
    };

    /// <summary>Of choices' log-likelihoods.</summary>
    public static MetricPart Choice(MetricConfig metric, TaskItem item, IReadOnlyList<double> logs)
    {
        switch (metric.Name)
        {
            case "acc" or "mc1":
                return Right(logs, (log, _) => log);
            case "acc_norm":
                return Right(logs, (log, choice) => log / choice.Length);
            case "acc_bytes":
                return Right(logs, (log, choice) => log / Encoding.UTF8.GetByteCount(choice));
            default:
                // The share of probability that the true answers have (TruthfulQA, arXiv 2109.07958, section 3).
                double most = logs.Max(), all = logs.Sum(log => Math.Exp(log - most));
                return new MetricPart(item.Gold.Sum(gold => Math.Exp(logs[gold] - most)) / all);
        }

        MetricPart Right(IReadOnlyList<double> values, Func<double, string, double> score)
        {
            double[] scores = [.. values.Select((log, i) => score(log, item.Choices[i]))];
            return new MetricPart(item.Gold.Contains(Array.IndexOf(scores, scores.Max())) ? 1 : 0);
        }
    }

    /// <summary>Of one continuation's.</summary>
    public static MetricPart Likelihood(MetricConfig metric, double log, bool greedy) => metric.Name == Perplexity ? new MetricPart(log) : new MetricPart(greedy ? 1 : 0);

    /// <summary>Of a whole text's.</summary>
    public static MetricPart Rolling(MetricConfig metric, string text, double log) =>
        new(log, metric.Name == WordPerplexity ? Regex.Split(text, @"\s+").Length : Encoding.UTF8.GetByteCount(text));

    /// <summary>Of what was generated.</summary>
    public static MetricPart Generation(MetricConfig metric, string answer, string target) => new(Plain(metric, answer) == Plain(metric, target) ? 1 : 0);

    /// <summary>The metric over all items, and its standard error; NaN where none is known.</summary>
    public static (double Value, double Error) Of(MetricConfig metric, IReadOnlyList<MetricPart> parts)
    {
        double sum = parts.Sum(part => part.Value), weight = parts.Sum(part => part.Weight), mean = sum / parts.Count;
        double deviation = parts.Count > 1 ? Math.Sqrt(parts.Sum(part => (part.Value - mean) * (part.Value - mean)) / (parts.Count - 1)) / Math.Sqrt(parts.Count) : double.NaN;
        return metric.Name switch
        {
            // By the slope of exp at the mean.
            Perplexity => (Math.Exp(-mean), Math.Exp(-mean) * deviation),
            WordPerplexity or BytePerplexity => (Math.Exp(-sum / weight), double.NaN),
            BitsPerByte => (-sum / weight / Math.Log(2), double.NaN),
            _ => (mean, deviation),
        };
    }

    private static string Plain(MetricConfig metric, string text)
    {
        foreach (string pattern in metric.RegexesToIgnore)
            text = Regex.Replace(text, pattern, "");
        if (metric.IgnoreCase)
            text = text.ToLowerInvariant();
        return metric.IgnorePunctuation ? string.Concat(text.Where(c => !char.IsAscii(c) || !(char.IsPunctuation(c) || char.IsSymbol(c)))) : text;
    }
}
