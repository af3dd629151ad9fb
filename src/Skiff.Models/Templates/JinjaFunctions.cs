using System.Collections;

namespace Skiff.Models;

/// <summary>A filter, test, method or global function of the library.</summary>
internal sealed record JinjaFunction(string Name, JinjaSignature Signature, Func<JinjaCall, object?> Body)
{
    public object? Invoke(JinjaRuntime runtime, object? self, JinjaArguments arguments) => Body(Signature.Bind(runtime, Name, self, arguments));
}

/// <summary>Functions by name, written as name, parameters and body.</summary>
internal sealed class JinjaFunctionTable : IEnumerable<JinjaFunction>
{
    private readonly Dictionary<string, JinjaFunction> _functions = new(StringComparer.Ordinal);

    public void Add(string name, string parameters, Func<JinjaCall, object?> body) => _functions.Add(name, new(name, JinjaSignature.Parse(parameters), body));

    public JinjaFunction? Find(string name) => _functions.GetValueOrDefault(name);

    public IEnumerator<JinjaFunction> GetEnumerator() => _functions.Values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A method with its object, or a global function.</summary>
internal sealed class JinjaBoundFunction(string name, Func<JinjaRuntime, JinjaArguments, object?> body) : JinjaCallable
{
    public JinjaBoundFunction(JinjaFunction function, object? self)
        : this(function.Name, (runtime, arguments) => function.Invoke(runtime, self, arguments))
    {
    }

    public string Name => name;

    public override object? Call(JinjaRuntime runtime, JinjaArguments arguments) => body(runtime, arguments);
}
