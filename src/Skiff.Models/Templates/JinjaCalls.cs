namespace Skiff.Models;

/// <summary>The arguments written at a call.</summary>
internal sealed class JinjaArgumentList(JinjaExpression[] positional, (string Name, JinjaExpression Value)[] named, JinjaExpression? rest, JinjaExpression? namedRest)
{
    public static JinjaArgumentList Empty { get; } = new([], [], null, null);

    public JinjaArguments Evaluate(JinjaFrame frame)
    {
        List<object?> values = [];
        foreach (JinjaExpression argument in positional)
            values.Add(argument.Evaluate(frame));
        Dictionary<string, object?> names = new(StringComparer.Ordinal);
        foreach ((string name, JinjaExpression value) in named)
        {
            if (!names.TryAdd(name, value.Evaluate(frame)))
                throw frame.Runtime.Fail($"the argument '{name}' is given twice");
        }

        if (rest is not null)
            values.AddRange(JinjaTypes.Items(frame.Runtime, rest.Evaluate(frame)));
        if (namedRest is null)
            return new(values, names);
        object? more = namedRest.Evaluate(frame);
        if (more is not JinjaDict dict)
            throw frame.Runtime.Fail($"'**' asks for a dict, not a {JinjaTypes.Name(more)}");
        foreach ((object? key, object? value) in dict.Entries)
        {
            if (!JinjaTypes.TryText(key, out string name) || !names.TryAdd(name, value))
                throw frame.Runtime.Fail("an argument after '**' has no text for a name or is given twice");
        }

        return new(values, names);
    }
}

internal sealed class JinjaCallExpression(int line, JinjaExpression target, JinjaArgumentList arguments) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => Call(frame, caller: null);

    /// <summary>Calls the target; the body of a call block comes as the argument named caller.</summary>
    public object? Call(JinjaFrame frame, JinjaMacro? caller)
    {
        object? function = target.Evaluate(frame);
        JinjaArguments values = arguments.Evaluate(frame);
        if (caller is not null && !values.Named.TryAdd("caller", caller))
            throw frame.Runtime.Fail("the argument 'caller' is given twice");
        frame.Runtime.Line = Line;
        JinjaOperators.Refuse(frame.Runtime, function);
        return function is JinjaCallable callable ? callable.Call(frame.Runtime, values)
            : throw frame.Runtime.Fail($"a {JinjaTypes.Name(function)} cannot be called");
    }
}

internal sealed class JinjaFilterExpression(int line, JinjaExpression? target, string name, JinjaArgumentList arguments) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => Apply(frame, target!.Evaluate(frame));

    /// <summary>The result for a value that is not in the expression: the text of a filter or set block.</summary>
    public object? ApplyTo(JinjaFrame frame, object? value)
    {
        object? input = target is JinjaFilterExpression inner ? inner.ApplyTo(frame, value) : value;
        return Apply(frame, input);
    }

    private object? Apply(JinjaFrame frame, object? value)
    {
        JinjaArguments values = arguments.Evaluate(frame);
        frame.Runtime.Line = Line;
        return JinjaFilters.Call(frame.Runtime, name, value, values);
    }
}

internal sealed class JinjaTestExpression(int line, JinjaExpression target, string name, JinjaArgumentList arguments) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        object? value = target.Evaluate(frame);
        JinjaArguments values = arguments.Evaluate(frame);
        frame.Runtime.Line = Line;
        return JinjaTests.Call(frame.Runtime, name, value, values);
    }
}
