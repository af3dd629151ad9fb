namespace Skiff.Training;

/// <summary>What one <see cref="MetricsReader.Read"/> found.</summary>
/// <param name="Lines">The lines that came since the last read, in the file's order.</param>
/// <param name="StartedOver">Whether the file no longer holds what was read before: these lines are its first ones.</param>
/// <param name="HasMore">Whether the file holds more than one read takes: read again.</param>
public sealed record MetricsBatch(IReadOnlyList<MetricsLine> Lines, bool StartedOver, bool HasMore);
