namespace Skiff.Models;

/// <summary>The filters that apply another filter or test to every item.</summary>
internal static class JinjaSelectionFilters
{
    public static JinjaFunctionTable Table { get; } = new()
    {
        { "map", "* **", Map },
        { "select", "* **", call => Select(call, keep: true, byAttribute: false) },
        { "reject", "* **", call => Select(call, keep: false, byAttribute: false) },
        { "selectattr", "* **", call => Select(call, keep: true, byAttribute: true) },
        { "rejectattr", "* **", call => Select(call, keep: false, byAttribute: true) },
    };

    private static JinjaGenerator Map(JinjaCall call)
    {
        JinjaRuntime runtime = call.Runtime;
        if (!JinjaTypes.IsTrue(runtime, call.Self))
            return new([]);
        JinjaArguments arguments = call.Arguments;
        if (arguments.Positional.Count == 0 && arguments.Named.Remove("attribute", out object? attribute))
        {
            arguments.Named.Remove("default", out object? fallback);
            if (arguments.Named.Count > 0)
                throw call.Fail($"takes no argument named '{arguments.Named.First().Key}'");
            JinjaAttributePath path = new(runtime, attribute, fallback);
            return Generate(runtime, JinjaTypes.Items(runtime, call.Self).Select(path.Of));
        }

        if (arguments.Positional.Count == 0 || !JinjaTypes.TryText(arguments.Positional[0], out string filter))
            throw call.Fail("asks for the name of a filter");
        return Generate(runtime, JinjaTypes.Items(runtime, call.Self).Select(item => JinjaFilters.Call(runtime, filter, item, Rest(arguments, 1))));
    }

    private static JinjaGenerator Select(JinjaCall call, bool keep, bool byAttribute)
    {
        JinjaRuntime runtime = call.Runtime;
        if (!JinjaTypes.IsTrue(runtime, call.Self))
            return new([]);
        JinjaArguments arguments = call.Arguments;
        int used = byAttribute ? 1 : 0;
        if (arguments.Positional.Count < used)
            throw call.Fail("asks for the name of an attribute");
        JinjaAttributePath path = new(runtime, byAttribute ? arguments.Positional[0] : null);
        string? test = null;
        if (arguments.Positional.Count > used)
            test = JinjaTypes.TryText(arguments.Positional[used], out string name) ? name : throw call.Fail("asks for the name of a test");
        bool Passes(object? item)
        {
            object? value = path.Of(item);
            return JinjaTypes.IsTrue(runtime, test is null ? value : JinjaTests.Call(runtime, test, value, Rest(arguments, used + 1)));
        }

        return Generate(runtime, JinjaTypes.Items(runtime, call.Self).Where(item => Passes(item) == keep));
    }

    private static JinjaGenerator Generate(JinjaRuntime runtime, IEnumerable<object?> items)
    {
        // All at once: a chain of lazy generators would be as deep as a template makes it long.
        object?[] all = [.. items];
        runtime.ReserveItems(all.Length);
        return new(all);
    }

    private static JinjaArguments Rest(JinjaArguments arguments, int used) => new([.. arguments.Positional.Skip(used)], new(arguments.Named));
}
