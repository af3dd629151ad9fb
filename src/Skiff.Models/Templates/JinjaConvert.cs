using System.Collections;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Skiff.Models;

/// <summary>Turns what callers pass as variables into values of templates.</summary>
internal static class JinjaConvert
{
    public static object? From(JinjaRuntime runtime, string name, object? value, int depth = 0)
    {
        runtime.CheckDepth(depth);
        runtime.Step();
        return value switch
        {
            null or bool or long or double or BigInteger or JinjaUndefined or JinjaMarkup or JinjaList or JinjaDict or JinjaCallable or JinjaNamespace => value,
            string text => text,
            char character => character.ToString(),
            int number => (long)number,
            short or byte or sbyte or ushort or uint => Convert.ToInt64(value, CultureInfo.InvariantCulture),
            ulong number => runtime.Integer(number),
            float number => (double)number,
            JsonElement element => FromJson(runtime, name, element, depth),
            JsonValue node => FromJson(runtime, name, JsonSerializer.SerializeToElement(node), depth),
            JsonObject node => FromPairs(runtime, name, node.Select(property => KeyValuePair.Create(property.Key, (object?)property.Value)), depth),
            JsonDocument document => FromJson(runtime, name, document.RootElement, depth),
            IReadOnlyDictionary<string, object?> dict => FromPairs(runtime, name, dict, depth),
            ChatMessage message => FromPairs(runtime, name, message.Fields, depth),
            IDictionary pairs => FromPairs(runtime, name, pairs.Keys.Cast<object>().Select(key => KeyValuePair.Create(
                key as string ?? throw runtime.Fail($"the variable '{name}' holds a dictionary without texts for keys"), pairs[key])), depth),
            IEnumerable items => runtime.List([.. items.Cast<object?>().Select(item => From(runtime, name, item, depth + 1))]),
            _ => throw runtime.Fail($"the variable '{name}' holds a {value.GetType().Name}, which templates do not know"),
        };
    }

    private static JinjaDict FromPairs(JinjaRuntime runtime, string name, IEnumerable<KeyValuePair<string, object?>> pairs, int depth)
    {
        JinjaDict dict = new();
        foreach ((string key, object? value) in pairs)
            dict.Set(key, From(runtime, name, value, depth + 1));
        runtime.ReserveItems(8L * dict.Count);
        runtime.CheckDepth(dict.Depth);
        return dict;
    }

    private static object? FromJson(JinjaRuntime runtime, string name, JsonElement element, int depth)
    {
        try
        {
            return Read(runtime, name, element, depth);
        }
        catch (InvalidOperationException)
        {
            // System.Text.Json checks escapes only when a text is read.
            throw runtime.Fail($"the variable '{name}' holds an invalid JSON text");
        }
    }

    private static object? Read(JinjaRuntime runtime, string name, JsonElement element, int depth)
    {
        runtime.CheckDepth(depth);
        runtime.Step();
        switch (element.ValueKind)
        {
            case JsonValueKind.String: return element.GetString();
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.Number: return FromNumber(runtime, element.GetRawText());
            case JsonValueKind.Array: return runtime.List([.. element.EnumerateArray().Select(item => FromJson(runtime, name, item, depth + 1))]);
            case JsonValueKind.Object:
                return FromPairs(runtime, name, element.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, (object?)property.Value)), depth);
            default: return null;
        }
    }

    // Python reads a number without point and exponent as an integer of any size.
    private static object FromNumber(JinjaRuntime runtime, string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
            return double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        runtime.CheckIntegerBits(text.Length * 3.3);
        return runtime.Integer(BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
    }
}
