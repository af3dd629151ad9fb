namespace Skiff.Models;

/// <summary>What <c>cycler</c> returns.</summary>
internal sealed class JinjaCycler(object?[] items)
{
    private int _position;

    public bool TryAttribute(string name, out object? value)
    {
        value = name switch
        {
            "current" => items[_position],
            "pos" => (long)_position,
            "next" => new JinjaBoundFunction(name, (_, _) => Next()),
            "reset" => new JinjaBoundFunction(name, (_, _) => Reset()),
            _ => null,
        };
        return name is "current" or "pos" or "next" or "reset";
    }

    private object? Next()
    {
        object? item = items[_position];
        _position = (_position + 1) % items.Length;
        return item;
    }

    private object? Reset()
    {
        _position = 0;
        return null;
    }
}

/// <summary>What <c>joiner</c> returns: nothing at the first call, then the separator.</summary>
internal sealed class JinjaJoiner(object? separator) : JinjaCallable
{
    private bool _used;

    public override object? Call(JinjaRuntime runtime, JinjaArguments arguments)
    {
        if (_used)
            return separator;
        _used = true;
        return "";
    }
}
