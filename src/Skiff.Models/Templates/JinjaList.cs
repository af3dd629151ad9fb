namespace Skiff.Models;

/// <summary>A Python list or tuple. It never changes: the sandbox refuses every mutating method.</summary>
internal sealed class JinjaList : IJinjaContainer
{
    public JinjaList(object?[] items, bool isTuple = false, string[]? fields = null)
    {
        Items = items;
        IsTuple = isTuple;
        Fields = fields;
        Depth = 1;
        foreach (object? item in items)
            Depth = Math.Max(Depth, 1 + IJinjaContainer.DepthOf(item));
    }

    public object?[] Items { get; }

    public bool IsTuple { get; }

    /// <summary>The names of a named tuple's items.</summary>
    public string[]? Fields { get; }

    public int Depth { get; }
}
