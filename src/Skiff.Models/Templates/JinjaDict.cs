namespace Skiff.Models;

/// <summary>A Python dict: ordered by insertion, with keys that are equal as Python compares them.</summary>
internal sealed class JinjaDict : IJinjaContainer
{
    private readonly OrderedDictionary<JinjaKey, object?> _entries = [];

    public int Count => _entries.Count;

    public int Depth { get; private set; } = 1;

    public IEnumerable<KeyValuePair<object?, object?>> Entries
    {
        get
        {
            foreach ((JinjaKey key, object? value) in _entries)
                yield return new(key.Value, value);
        }
    }

    public object?[] Keys => [.. _entries.Keys.Select(key => key.Value)];

    public object?[] Values => [.. _entries.Values];

    public void Set(JinjaKey key, object? value)
    {
        _entries[key] = value;
        Depth = Math.Max(Depth, 1 + Math.Max(IJinjaContainer.DepthOf(value), IJinjaContainer.DepthOf(key.Value)));
    }

    public void Set(string key, object? value) => Set(new JinjaKey(key), value);

    public bool TryGet(JinjaKey key, out object? value) => _entries.TryGetValue(key, out value);

    public bool TryGet(string key, out object? value) => _entries.TryGetValue(new JinjaKey(key), out value);
}
