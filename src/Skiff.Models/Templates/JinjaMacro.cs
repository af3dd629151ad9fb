namespace Skiff.Models;

/// <summary>A macro as written; the last flags say which of the special names its body uses.</summary>
internal sealed record JinjaMacroShape(
    string? Name, string[] Parameters, JinjaExpression[] Defaults, JinjaStatement[] Body, bool UsesCaller, bool UsesNamed, bool UsesRest);

/// <summary>A macro, or the body of a call block, together with the names around it.</summary>
internal sealed class JinjaMacro(JinjaMacroShape shape, JinjaScope closure) : JinjaCallable
{
    public string Name => shape.Name ?? "anonymous";

    public JinjaMacroShape Shape => shape;

    public override object? Call(JinjaRuntime runtime, JinjaArguments arguments)
    {
        runtime.Enter();
        JinjaFrame frame = new(runtime, new JinjaScope(closure), new JinjaOutput(runtime, isRoot: false));
        Bind(frame, arguments);
        JinjaStatement.Execute(shape.Body, frame);
        runtime.Leave();
        return frame.Output.ToString();
    }

    private void Bind(JinjaFrame frame, JinjaArguments arguments)
    {
        JinjaRuntime runtime = frame.Runtime;
        List<int> missing = [];
        for (int i = 0; i < shape.Parameters.Length; i++)
        {
            string parameter = shape.Parameters[i];
            if (i < arguments.Positional.Count)
                frame.Scope.Set(parameter, arguments.Positional[i]);
            else if (arguments.Named.Remove(parameter, out object? value))
                frame.Scope.Set(parameter, value);
            else
                missing.Add(i);
        }

        if (shape.UsesCaller && !shape.Parameters.Contains("caller"))
        {
            bool given = arguments.Named.Remove("caller", out object? caller) && caller is not null;
            frame.Scope.Set("caller", given ? caller : runtime.Undefined("no caller is defined"));
        }

        BindRest(frame, arguments);
        // Defaults come last and in order, so that they can use the parameters before them.
        foreach (int i in missing)
        {
            int fallback = i - (shape.Parameters.Length - shape.Defaults.Length);
            frame.Scope.Set(shape.Parameters[i], fallback >= 0 ? shape.Defaults[fallback].Evaluate(frame)
                : runtime.Undefined($"the parameter '{shape.Parameters[i]}' was not provided"));
        }
    }

    private void BindRest(JinjaFrame frame, JinjaArguments arguments)
    {
        JinjaRuntime runtime = frame.Runtime;
        if (shape.UsesNamed)
        {
            JinjaDict named = new();
            foreach ((string name, object? value) in arguments.Named)
                named.Set(name, value);
            runtime.CheckDepth(named.Depth);
            frame.Scope.Set("kwargs", named);
        }
        else if (arguments.Named.Count > 0)
        {
            throw runtime.Fail($"the macro '{Name}' takes no argument named '{arguments.Named.First().Key}'");
        }

        if (shape.UsesRest)
            frame.Scope.Set("varargs", runtime.List(arguments.Positional.Skip(shape.Parameters.Length).ToArray(), isTuple: true));
        else if (arguments.Positional.Count > shape.Parameters.Length)
            throw runtime.Fail($"the macro '{Name}' takes not more than {shape.Parameters.Length} arguments");
    }
}
