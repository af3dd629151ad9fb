namespace Skiff.Models;

/// <summary>The global functions.</summary>
internal static class JinjaGlobals
{
    private const long LargestRange = 100_000;

    private static readonly JinjaFunctionTable Functions = new()
    {
        { "range", "/ start stop? step?", Range },
        { "dict", "* **", call => Dict(call, new JinjaDict()) },
        { "namespace", "* **", Namespace },
        { "cycler", "*", call => new JinjaCycler(call.Arguments.Positional.Count > 0 ? [.. call.Arguments.Positional] : throw call.Fail("asks for the items to cycle through")) },
        { "joiner", "sep?", call => new JinjaJoiner(call.Value(0, ", ")) },
        { "lipsum", "* **", call => throw call.Fail("is not supported: its text is random") },
    };

    private static readonly JinjaFunctionTable ChatFunctions = new()
    {
        { "raise_exception", "message", call => throw call.Runtime.Fail(JinjaRepr.Str(call.Runtime, call.Value(0))) },
        { "strftime_now", "format", call => call.Runtime.Text(JinjaClock.Format(call.Runtime, (call.Runtime.Options.Now ?? (() => DateTimeOffset.Now))(), call.Text(0))) },
    };

    // Templates set names only in scopes inside of these.
    private static readonly JinjaScope PlainScope = ScopeOf(Functions);
    private static readonly JinjaScope ChatScope = ScopeOf(Functions.Concat(ChatFunctions));

    /// <summary>The scope that holds the functions a template sees.</summary>
    public static JinjaScope Scope(JinjaOptions options) => options.ChatMode ? ChatScope : PlainScope;

    private static JinjaScope ScopeOf(IEnumerable<JinjaFunction> functions)
    {
        JinjaScope scope = new(null);
        foreach (JinjaFunction function in functions)
            scope.Set(function.Name, new JinjaBoundFunction(function, null));
        return scope;
    }

    private static JinjaRange Range(JinjaCall call)
    {
        bool single = !call.Has(1);
        JinjaRange range = new(single ? 0 : call.Integer(0), single ? call.Integer(0) : call.Integer(1), call.Integer(2, 1) is var step and not 0 ? step : throw call.Fail("has a step of zero"));
        return range.Count <= LargestRange ? range : throw call.Fail($"has more than {LargestRange} numbers");
    }

    private static JinjaDict Dict(JinjaCall call, JinjaDict dict)
    {
        JinjaRuntime runtime = call.Runtime;
        if (call.Arguments.Positional.Count > 1)
            throw call.Fail("takes one dict or list of pairs");
        foreach (object? source in call.Arguments.Positional)
        {
            object?[] pairs = source is JinjaDict other ? JinjaContainerMethods.Pairs(runtime, other).Items : JinjaTypes.Items(runtime, source);
            foreach (object? pair in pairs)
            {
                object?[] parts = JinjaTypes.Items(runtime, pair);
                if (parts.Length != 2)
                    throw call.Fail("asks for pairs of key and value");
                dict.Set(JinjaKey.Of(runtime, parts[0]), parts[1]);
            }
        }

        runtime.ReserveItems(8L * call.Arguments.Named.Count);
        foreach ((string name, object? value) in call.Arguments.Named)
            dict.Set(name, value);
        runtime.CheckDepth(dict.Depth);
        return dict;
    }

    private static JinjaNamespace Namespace(JinjaCall call)
    {
        JinjaNamespace space = new();
        Dict(call, space.Attributes);
        return space;
    }
}
