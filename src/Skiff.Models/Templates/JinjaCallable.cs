namespace Skiff.Models;

/// <summary>Something a template can call.</summary>
internal abstract class JinjaCallable
{
    public abstract object? Call(JinjaRuntime runtime, JinjaArguments arguments);
}

/// <summary>The arguments of one call; who takes a named one removes it.</summary>
internal sealed record JinjaArguments(List<object?> Positional, Dictionary<string, object?> Named)
{
    public static JinjaArguments Of(params object?[] values) => new([.. values], []);
}
