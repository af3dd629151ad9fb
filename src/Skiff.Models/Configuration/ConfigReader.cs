using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Reads keys of a <c>config.json</c> under their standard names, checks kind and range, and remembers which were read:
/// a key that nobody read and that is not known to be harmless is refused, because it may change the arithmetic.
/// </summary>
internal sealed class ConfigReader(JsonObject json, string source)
{
    private const int LargestSize = 1 << 28;
    private readonly HashSet<string> _read = ["model_type"];
    private ModelFamily? _family;

    public JsonObject Json => json;

    public string Source => source;

    public static JsonObject ParseObject(ReadOnlySpan<byte> text, string source)
    {
        try
        {
            Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = 32 });
            JsonNode? node = JsonNode.Parse(ref reader);
            if (node is not JsonObject result)
                throw new InvalidInputException(source, "file", "must hold a JSON object");
            // A key that stands twice is found only when the object is first searched.
            _ = result.ContainsKey("");
            return result;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidInputException(source, e is JsonException { LineNumber: { } line } ? $"line {line + 1}" : "file", $"not valid JSON: {e.Message}", e);
        }
    }

    public void UseNames(ModelFamily family) => _family = family;

    public bool Has(string key) => Node(key) is not null;

    public string String(string key, string absent) => Node(key) is { } node ? As<string>(key, node, "a string") : absent;

    public bool Bool(string key, bool absent) => Node(key) is { } node ? As<bool>(key, node, "true or false") : absent;

    public double Float(string key, double absent)
    {
        double value = Node(key) is { } node ? As<double>(key, node, "a number") : absent;
        return double.IsFinite(value) && Math.Abs(value) < 1e30 ? value : throw Refuse(key, $"{value} is no usable number");
    }

    /// <summary>A factor or base, above 0.</summary>
    public double Positive(string key, double absent) => Float(key, absent) is var value && value > 0 ? value : throw Refuse(key, $"{value} must be above 0");

    /// <summary>A size from 1; without <paramref name="absent"/> the key is required.</summary>
    public int Size(string key, int? absent = null)
    {
        if (Node(key) is not { } node)
            return absent ?? throw Refuse(key, "is missing");
        double value = As<double>(key, node, "a whole number");
        if (value != Math.Floor(value) || value is < 1 or > LargestSize)
            throw Refuse(key, $"{value} must be a whole number from 1 to {LargestSize}");
        return (int)value;
    }

    /// <summary>A size where 0, null and absence mean "none".</summary>
    public int SizeOrNone(string key) => Node(key) is not { } node || As<double>(key, node, "a whole number") == 0 ? 0 : Size(key);

    public IReadOnlyList<double>? Floats(string key)
    {
        if (Node(key) is not { } node)
            return null;
        if (node is not JsonArray array)
            throw Refuse(key, "must be a list of numbers");
        return [.. array.Select(item => item is null ? throw Refuse(key, "holds null") : As<double>(key, item, "a list of numbers"))];
    }

    public IReadOnlyList<double>? FloatOrFloats(string key) => Node(key) is JsonValue ? [Float(key, 0)] : Floats(key);

    public IReadOnlyList<int>? Sizes(string key) => Floats(key)?.Select(value =>
        value == Math.Floor(value) && value is >= 1 and <= LargestSize ? (int)value : throw Refuse(key, $"{value} must be a whole number from 1")).ToList();

    public IReadOnlyList<string>? Strings(string key)
    {
        if (Node(key) is not { } node)
            return null;
        if (node is not JsonArray array)
            throw Refuse(key, "must be a list of strings");
        return [.. array.Select(item => item is null ? throw Refuse(key, "holds null") : As<string>(key, item, "a list of strings"))];
    }

    public ConfigReader? Object(string key)
    {
        if (Node(key) is not { } node)
            return null;
        return node is JsonObject inner ? new ConfigReader(inner, source) { _prefix = _prefix + key + "." } : throw Refuse(key, "must be an object");
    }

    /// <summary>A key with only one value that Skiff computes; any other is refused by name.</summary>
    public void Only<T>(string key, T value)
    {
        if (Node(key) is { } node && !JsonNode.DeepEquals(node, JsonValue.Create(value)))
            throw Refuse(key, $"{node.ToJsonString()} is not supported, only {JsonSerializer.Serialize(value)}");
    }

    /// <summary>Marks keys as read that carry no arithmetic.</summary>
    public void Skip(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
            _read.Add(key);
    }

    public void RefuseUnreadKeys(ModelFamily? family = null)
    {
        foreach ((string key, JsonNode? value) in json)
        {
            if (value is null || _read.Contains(key) || HarmlessKeys.Contains(key) || family?.Harmless.Contains(key) == true)
                continue;
            throw new InvalidInputException(source, _prefix + key, $"is not a key Skiff knows{(family is null ? "" : $" for model_type {family.ModelType}")}; remove it if it does not change the arithmetic");
        }
    }

    public InvalidInputException Refuse(string key, string problem) => new(source, _prefix + (_family?.NameOf(key) ?? key), problem);

    private string _prefix = "";

    private JsonNode? Node(string key)
    {
        string name = _family?.NameOf(key) ?? key;
        _read.Add(name);
        return json.TryGetPropertyValue(name, out JsonNode? node) ? node : null;
    }

    private T As<T>(string key, JsonNode node, string kind)
    {
        try
        {
            if (node is JsonValue && node.Deserialize<T>() is { } result)
                return result;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
        }

        throw Refuse(key, $"must be {kind}");
    }
}
