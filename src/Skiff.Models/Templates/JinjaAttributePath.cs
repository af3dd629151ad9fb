using System.Globalization;

namespace Skiff.Models;

/// <summary>The attribute argument of filters: a name or number, or several joined by dots; none leaves the item as it is.</summary>
internal sealed class JinjaAttributePath
{
    private readonly JinjaRuntime _runtime;
    private readonly object?[] _parts;
    private readonly object? _fallback;

    public JinjaAttributePath(JinjaRuntime runtime, object? attribute, object? fallback = null)
    {
        _runtime = runtime;
        _fallback = fallback;
        if (JinjaTypes.TryText(attribute, out string text))
            _parts = [.. text.Split('.').Select(part => long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : (object)part)];
        else
            _parts = attribute is null ? [] : [attribute];
    }

    public object? Of(object? item)
    {
        foreach (object? part in _parts)
        {
            _runtime.Step();
            item = JinjaLookup.Item(_runtime, item, part);
            if (_fallback is not null && item is JinjaUndefined)
                item = _fallback;
        }

        return item;
    }
}
