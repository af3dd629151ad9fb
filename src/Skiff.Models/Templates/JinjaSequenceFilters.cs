namespace Skiff.Models;

/// <summary>The filters on sequences and dicts that look at every item alike.</summary>
internal static class JinjaSequenceFilters
{
    public static JinjaFunctionTable Table { get; } = new()
    {
        { "length", "/", Length },
        { "count", "/", Length },
        { "list", "", call => call.Runtime.List(JinjaTypes.Items(call.Runtime, call.Self)) },
        { "first", "", First },
        { "last", "", Last },
        { "join", "d? attribute?", Join },
        { "reverse", "", Reverse },
        { "sort", "reverse? case_sensitive? attribute?", Sort },
        { "dictsort", "case_sensitive? by? reverse?", DictSort },
        { "unique", "case_sensitive? attribute?", Unique },
        { "min", "case_sensitive? attribute?", call => Extreme(call, largest: false) },
        { "max", "case_sensitive? attribute?", call => Extreme(call, largest: true) },
        { "sum", "attribute? start?", Sum },
        { "batch", "linecount fill_with?", Batch },
        { "slice", "slices fill_with?", Slice },
        { "items", "", Items },
        { "groupby", "attribute default? case_sensitive?", GroupBy },
        { "default", "default_value? boolean?", Default },
        { "d", "default_value? boolean?", Default },
        { "attr", "name", Attribute },
    };

    private static object?[] SelfItems(JinjaCall call) => JinjaTypes.Items(call.Runtime, call.Self);

    private static object Length(JinjaCall call) =>
        JinjaTypes.TryLength(call.Runtime, call.Self, out long length) ? length : throw call.Fail($"asks for something with a length, not a {JinjaTypes.Name(call.Self)}");

    private static object? First(JinjaCall call)
    {
        if (call.Self is JinjaGenerator generator)
            return generator.TryNext(out object? next) ? next : call.Runtime.Undefined("the sequence is empty");
        object?[] items = SelfItems(call);
        return items.Length > 0 ? items[0] : call.Runtime.Undefined("the sequence is empty");
    }

    private static object? Last(JinjaCall call)
    {
        if (call.Self is JinjaGenerator)
            throw call.Fail("cannot read a generator from its end");
        object?[] items = SelfItems(call);
        return items.Length > 0 ? items[^1] : call.Runtime.Undefined("the sequence is empty");
    }

    private static object Join(JinjaCall call)
    {
        string separator = call.Has(0) ? JinjaRepr.Str(call.Runtime, call.Value(0)) : "";
        JinjaAttributePath path = new(call.Runtime, call.Value(1));
        List<string> parts = [];
        long length = 0;
        foreach (object? item in SelfItems(call))
        {
            parts.Add(JinjaRepr.Str(call.Runtime, path.Of(item)));
            length += parts[^1].Length + separator.Length;
            if (length > call.Runtime.Options.MaxOutput)
                call.Runtime.Reserve(length);
        }

        return call.Runtime.Text(string.Join(separator, parts));
    }

    private static object Reverse(JinjaCall call)
    {
        if (JinjaTypes.TryText(call.Self, out string text))
        {
            call.Runtime.Step(text.Length / 4);
            return call.Wrap(string.Concat(JinjaText.CodePoints(text).Reverse()));
        }

        JinjaOperators.Strict(call.Runtime, call.Self);
        object?[] items = [.. SelfItems(call).Reverse()];
        return call.Self is JinjaGenerator or JinjaUndefined ? call.Runtime.List(items) : new JinjaGenerator(items);
    }

    private static JinjaList Sort(JinjaCall call)
    {
        string[] attributes = JinjaTypes.TryText(call.Value(2), out string text) ? text.Split(',') : [];
        JinjaAttributePath[] paths = attributes.Length > 0 ? [.. attributes.Select(attribute => new JinjaAttributePath(call.Runtime, attribute))]
            : [new JinjaAttributePath(call.Runtime, call.Value(2))];
        object? Key(object? item)
        {
            object?[] keys = [.. paths.Select(path => Fold(path.Of(item), call.Truth(1)))];
            return keys.Length == 1 ? keys[0] : call.Runtime.List(keys);
        }

        return call.Runtime.List(Sorted(call.Runtime, SelfItems(call), Key, call.Truth(0)));
    }

    private static object? Fold(object? key, bool caseSensitive) => !caseSensitive && JinjaTypes.TryText(key, out string text) ? JinjaCase.Lower(text) : key;

    private static object?[] Sorted(JinjaRuntime runtime, object?[] items, Func<object?, object?> key, bool reverse)
    {
        runtime.ReserveItems(2L * items.Length);
        (object? Item, object? Key)[] keyed = [.. items.Select(item => (item, key(item)))];
        // Equal items keep their order also when the order is reversed.
        JinjaSort.Sort(keyed, reverse ? (left, right) => JinjaOperators.Less(runtime, right.Key, left.Key) : (left, right) => JinjaOperators.Less(runtime, left.Key, right.Key));
        return [.. keyed.Select(pair => pair.Item)];
    }

    private static JinjaList DictSort(JinjaCall call)
    {
        string by = call.Text(1, "key");
        if (call.Self is not JinjaDict dict || by is not ("key" or "value"))
            throw call.Fail("asks for a dict, and 'key' or 'value' to sort by");
        bool caseSensitive = call.Truth(0);
        object?[] pairs = JinjaContainerMethods.Pairs(call.Runtime, dict).Items;
        return call.Runtime.List(Sorted(call.Runtime, pairs, pair => Fold(((JinjaList)pair!).Items[by == "key" ? 0 : 1], caseSensitive), call.Truth(2)));
    }

    private static JinjaGenerator Unique(JinjaCall call)
    {
        JinjaAttributePath path = new(call.Runtime, call.Value(1));
        HashSet<JinjaKey> seen = [];
        return new([.. SelfItems(call).Where(item => seen.Add(JinjaKey.Of(call.Runtime, Fold(path.Of(item), call.Truth(0)))))]);
    }

    private static object? Extreme(JinjaCall call, bool largest)
    {
        object?[] items = SelfItems(call);
        if (items.Length == 0)
            return call.Runtime.Undefined("the sequence is empty");
        JinjaAttributePath path = new(call.Runtime, call.Value(1));
        object? best = items[0];
        object? bestKey = Fold(path.Of(best), call.Truth(0));
        foreach (object? item in items.Skip(1))
        {
            object? key = Fold(path.Of(item), call.Truth(0));
            if (largest ? JinjaOperators.Less(call.Runtime, bestKey, key) : JinjaOperators.Less(call.Runtime, key, bestKey))
                (best, bestKey) = (item, key);
        }

        return best;
    }

    private static object? Sum(JinjaCall call)
    {
        object? total = call.Value(1, 0L);
        if (JinjaTypes.TryText(total, out _))
            throw call.Fail("adds no texts");
        JinjaAttributePath path = new(call.Runtime, call.Value(0));
        foreach (object? item in SelfItems(call))
            total = JinjaOperators.Binary(call.Runtime, "+", total, path.Of(item));
        return total;
    }

    private static JinjaGenerator Batch(JinjaCall call)
    {
        object?[] items = SelfItems(call);
        long size = call.Integer(0);
        List<object?> batches = [];
        for (int start = 0; start < items.Length;)
        {
            // The size is compared before an item is added, so that a size under one never closes a batch but the empty first.
            int end = size > 0 ? (int)Math.Min(start + size, items.Length) : items.Length;
            if (size == 0 && start == 0)
                batches.Add(call.Runtime.List([]));
            List<object?> batch = [.. items[start..end]];
            if (call.HasValue(1) && batch.Count < size)
            {
                call.Runtime.ReserveItems(size - batch.Count);
                batch.AddRange(Enumerable.Repeat(call.Value(1), (int)(size - batch.Count)));
            }

            batches.Add(call.Runtime.List(batch));
            start = end;
        }

        return new([.. batches]);
    }

    private static JinjaGenerator Slice(JinjaCall call)
    {
        object?[] items = SelfItems(call);
        long count = call.Integer(0);
        if (count == 0)
            throw call.Fail("cannot make zero slices");
        call.Runtime.ReserveItems(Math.Max(0, count));
        long size = count > 0 ? items.Length / count : 0;
        long larger = count > 0 ? items.Length % count : 0;
        List<object?> slices = [];
        long start = 0;
        for (long i = 0; i < count; i++)
        {
            long end = start + size + (i < larger ? 1 : 0);
            List<object?> slice = [.. items[(int)start..(int)end]];
            if (call.HasValue(1) && i >= larger)
                slice.Add(call.Value(1));
            slices.Add(call.Runtime.List(slice));
            start = end;
        }

        return new([.. slices]);
    }

    private static JinjaGenerator Items(JinjaCall call) => call.Self switch
    {
        JinjaDict dict => new(JinjaContainerMethods.Pairs(call.Runtime, dict).Items),
        JinjaUndefined => new([]),
        _ => throw call.Fail($"asks for a dict, not a {JinjaTypes.Name(call.Self)}"),
    };

    private static JinjaList GroupBy(JinjaCall call)
    {
        JinjaRuntime runtime = call.Runtime;
        bool caseSensitive = call.Truth(2);
        JinjaAttributePath path = new(runtime, call.Value(0), call.Value(1));
        object?[] sorted = Sorted(runtime, SelfItems(call), item => Fold(path.Of(item), caseSensitive), reverse: false);
        List<object?> groups = [];
        for (int start = 0; start < sorted.Length;)
        {
            object? key = Fold(path.Of(sorted[start]), caseSensitive);
            int end = start + 1;
            while (end < sorted.Length && JinjaOperators.Equal(runtime, key, Fold(path.Of(sorted[end]), caseSensitive)))
                end++;
            groups.Add(new JinjaList([path.Of(sorted[start]), runtime.List(sorted[start..end])], isTuple: true, fields: ["grouper", "list"]));
            start = end;
        }

        return runtime.List(groups);
    }

    private static object? Default(JinjaCall call)
    {
        bool replace = call.Self is JinjaUndefined || (call.Truth(1) && !JinjaTypes.IsTrue(call.Runtime, call.Self));
        return replace ? call.Value(0, "") : call.Self;
    }

    private static object? Attribute(JinjaCall call) =>
        JinjaLookup.TryAttribute(call.Runtime, call.Self, call.Text(0), out object? value) ? value
            : call.Runtime.Undefined($"a {JinjaTypes.Name(call.Self)} has no attribute '{call.Text(0)}'");
}
