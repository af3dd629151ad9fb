namespace Skiff.Models;

/// <summary>The result of a failed lookup: it prints as nothing, or refuses every use when strict.</summary>
internal sealed record JinjaUndefined(string Message, bool IsStrict);

/// <summary>A text marked as safe HTML: it escapes what is joined to it.</summary>
internal sealed record JinjaMarkup(string Text);

/// <summary>A Python range.</summary>
internal sealed record JinjaRange(long Start, long Stop, long Step)
{
    public long Count { get; } = Step > 0
        ? Start < Stop ? Clamp((((Int128)Stop - Start - 1) / Step) + 1) : 0
        : Start > Stop ? Clamp((((Int128)Start - Stop - 1) / -(Int128)Step) + 1) : 0;

    public long this[long index] => Start + (index * Step);

    private static long Clamp(Int128 count) => (long)Int128.Min(count, long.MaxValue);
}

/// <summary>What <c>keys</c>, <c>values</c> and <c>items</c> of a dict return.</summary>
internal sealed record JinjaView(string Kind, JinjaList Items) : IJinjaContainer
{
    public int Depth => Items.Depth;
}

/// <summary>A Python generator: its items can be read once.</summary>
internal sealed class JinjaGenerator(object?[] items) : IJinjaContainer
{
    private int _next;

    public int Depth { get; } = new JinjaList(items).Depth;

    public bool TryNext(out object? item)
    {
        bool any = _next < items.Length;
        item = any ? items[_next++] : null;
        return any;
    }
}

/// <summary>A namespace object: the only value whose attributes a template can set.</summary>
internal sealed class JinjaNamespace
{
    public JinjaDict Attributes { get; } = new();
}

/// <summary>A slice between brackets; null parts are defaults.</summary>
internal sealed record JinjaSlice(object? Start, object? Stop, object? Step);
