namespace Skiff.Tensors;

/// <summary>How long the operations of a tape took, by kind and pass.</summary>
public sealed class OperationTimes
{
    private readonly Dictionary<(Type Kind, bool Backward), TimeSpan> _times = [];

    /// <summary>Seconds of each kind, forward (with what was computed again) and backward, the longest first.</summary>
    public IReadOnlyList<(string Operation, bool Backward, double Seconds)> Seconds =>
        [.. _times.Select(pair => (pair.Key.Kind.Name.Replace("Operation", "", StringComparison.Ordinal), pair.Key.Backward, pair.Value.TotalSeconds)).OrderByDescending(t => t.TotalSeconds)];

    internal void Add(Operation operation, bool backward, TimeSpan time)
    {
        (Type, bool) key = (operation.GetType(), backward);
        _times[key] = _times.GetValueOrDefault(key) + time;
    }
}
