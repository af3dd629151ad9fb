using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What one row of a benchmark gave.</summary>
public sealed record ThroughputFigures
{
    /// <summary>What was measured.</summary>
    public required ThroughputTest Test { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset TestTime { get; init; }

    /// <summary>Nanoseconds of each repetition.</summary>
    public required IReadOnlyList<long> SamplesNs { get; init; }

    /// <summary>How cached keys are stored.</summary>
    public required TensorType TypeK { get; init; }

    /// <summary>How cached values are stored.</summary>
    public required TensorType TypeV { get; init; }

    /// <summary>Mean seconds from the begin of the prompt to the choice of the token after it; null where no prompt is timed.</summary>
    public required double? TimeToFirstToken { get; init; }

    /// <summary>The most physical memory that the process held during the test, without the buffer that bandwidth is measured on.</summary>
    public required long PeakRssBytes { get; init; }

    /// <summary>Bytes that one position adds to the cache.</summary>
    public required long KvBytesPerToken { get; init; }

    /// <summary>
    /// Mean share of the read bandwidth measured right before and after (the better of the two) that reading every weight and the cache
    /// once a token takes; null for prompts, whose tokens share the reading.
    /// </summary>
    public required double? ShareOfBandwidth { get; init; }

    /// <summary>
    /// Mean share of the single-precision peak measured right before and after (the better of the two), at two operations for each weight a token
    /// meets, attention not counted. Above 1 is possible: integer products have a higher peak.
    /// </summary>
    public required double ShareOfPeak { get; init; }

    /// <summary>Mean of the measured bandwidths that the shares are of, 10^9 bytes a second.</summary>
    public required double BandwidthGbps { get; init; }

    /// <summary>Mean of the measured peaks that the shares are of, 10^9 operations a second.</summary>
    public required double PeakGflops { get; init; }

    /// <summary>Tokens a second of each repetition.</summary>
    public IReadOnlyList<double> SamplesTs => [.. SamplesNs.Select(ns => 1e9 * Test.Tokens / ns)];

    /// <summary>Mean nanoseconds of a repetition.</summary>
    public double AvgNs => Mean([.. SamplesNs.Select(ns => (double)ns)]);

    /// <summary>Standard deviation of the repetitions' nanoseconds.</summary>
    public double StddevNs => StandardDeviation([.. SamplesNs.Select(ns => (double)ns)]);

    /// <summary>Mean of the repetitions' tokens a second.</summary>
    public double AvgTs => Mean(SamplesTs);

    /// <summary>Standard deviation of the repetitions' tokens a second.</summary>
    public double StddevTs => StandardDeviation(SamplesTs);

    internal static double Mean(IReadOnlyList<double> samples) => samples.Sum() / samples.Count;

    /// <summary>Of a sample, so with n - 1; 0 for a single one.</summary>
    internal static double StandardDeviation(IReadOnlyList<double> samples)
    {
        double mean = Mean(samples);
        return samples.Count < 2 ? 0 : Math.Sqrt(samples.Sum(s => (s - mean) * (s - mean)) / (samples.Count - 1));
    }
}
