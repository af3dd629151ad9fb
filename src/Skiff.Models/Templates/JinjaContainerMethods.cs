namespace Skiff.Models;

/// <summary>The methods of lists, tuples and dicts that change nothing.</summary>
internal static class JinjaContainerMethods
{
    public static JinjaFunctionTable List { get; } = new()
    {
        { "index", "/ value start? stop?", Index },
        { "count", "/ value", call => JinjaTypes.Items(call.Runtime, call.Self).LongCount(item => JinjaOperators.Equal(call.Runtime, item, call.Value(0))) },
        { "copy", "/", call => call.Self is JinjaList { IsTuple: false } ? call.Self : throw call.Fail("is no method of this value") },
    };

    public static JinjaFunctionTable Dict { get; } = new()
    {
        { "items", "/", call => View(call, "dict_items") },
        { "keys", "/", call => View(call, "dict_keys") },
        { "values", "/", call => View(call, "dict_values") },
        { "get", "/ key default?", call => ((JinjaDict)call.Self!).TryGet(JinjaKey.Of(call.Runtime, call.Value(0)), out object? value) ? value : call.Value(1) },
        { "copy", "/", call => call.Self },
    };

    /// <summary>The entries of a dict as pairs.</summary>
    public static JinjaList Pairs(JinjaRuntime runtime, JinjaDict dict) =>
        runtime.List([.. dict.Entries.Select(entry => (object?)runtime.Tuple(entry.Key, entry.Value))]);

    private static JinjaView View(JinjaCall call, string kind)
    {
        JinjaDict dict = (JinjaDict)call.Self!;
        return new(kind, kind switch
        {
            "dict_items" => Pairs(call.Runtime, dict),
            "dict_keys" => call.Runtime.List(dict.Keys),
            _ => call.Runtime.List(dict.Values),
        });
    }

    private static object? Index(JinjaCall call)
    {
        object?[] items = JinjaTypes.Items(call.Runtime, call.Self);
        long start = call.Integer(1);
        long stop = call.Integer(2, items.Length);
        start = Math.Max(0, start < 0 ? start + items.Length : start);
        stop = Math.Min(items.Length, stop < 0 ? stop + items.Length : stop);
        for (long i = start; i < stop; i++)
        {
            if (JinjaOperators.Equal(call.Runtime, items[i], call.Value(0)))
                return i;
        }

        throw call.Fail("finds no such value in the list");
    }
}
