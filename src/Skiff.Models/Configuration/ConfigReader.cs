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
    private string _prefix = "";

    public JsonObject Json => json;

    /// <summary>The family whose names the file uses; none inside nested objects.</summary>
    public ModelFamily? Family { get; set; }

    public static JsonObject ParseObject(ReadOnlySpan<byte> text, string source)
    {
        if (text.StartsWith("\uFEFF"u8))
            throw new InvalidInputException(source, "file", "starts with a byte order mark; save it as plain UTF-8");
        try
        {
            if (JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false }) is not JsonObject result)
                throw new InvalidInputException(source, "file", "must hold a JSON object");
            ReadNames(result);
            return result;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidInputException(source, e is JsonException { LineNumber: { } line } ? $"line {line + 1}" : "file", $"not valid JSON: {e.Message}", e);
        }
    }

    // Names are decoded when first looked at; one that is no text must show here, not in the midst of reading.
    private static void ReadNames(JsonNode? node)
    {
        IEnumerable<JsonNode?> inner = node switch
        {
            JsonObject found => found.Select(k => k.Value),
            JsonArray list => list,
            _ => [],
        };
        foreach (JsonNode? child in inner)
            ReadNames(child);
    }

    /// <summary>The key holds a value: it is there and not null.</summary>
    public bool Has(string key) => Node(key) is not null;

    /// <summary>The key is there, if only as null: the family's default is not meant.</summary>
    public bool States(string key) => Has(key) || Names(key).Any(json.ContainsKey);

    public string String(string key, string absent) => Node(key) is { } node ? As<string>(key, node, "a string") : absent;

    public bool Bool(string key, bool absent) => Node(key) is { } node ? As<bool>(key, node, "true or false") : absent;

    /// <summary>Any number; the key is required.</summary>
    public double Number(string key) => Node(key) is { } node ? Number(key, node, "a number") : throw Refuse(key, "is missing");

    /// <summary>A factor or base, above 0; without <paramref name="absent"/> the key is required.</summary>
    public double Positive(string key, double? absent = null)
    {
        if (Node(key) is not { } node)
            return absent ?? throw Refuse(key, "is missing");
        double value = Number(key, node, "a number");
        return value > 0 ? value : throw Refuse(key, $"{value} must be above 0");
    }

    /// <summary>A factor or bound, above 0, where 0, null and absence mean "none".</summary>
    public double PositiveOrNone(string key, double absent = 0) =>
        !States(key) ? absent : Node(key) is not { } node || Number(key, node, "a number") == 0 ? 0 : Positive(key);

    /// <summary>A size from 1; without <paramref name="absent"/> the key is required.</summary>
    public int Size(string key, int? absent = null)
    {
        if (Node(key) is not { } node)
            return absent ?? throw Refuse(key, "is missing");
        return Whole(key, Number(key, node, "a whole number"));
    }

    /// <summary>A size where 0 and null mean "none"; <paramref name="absent"/> where the key is not there at all.</summary>
    public int SizeOrNone(string key, int absent = 0) =>
        !States(key) ? absent : Node(key) is not { } node || Number(key, node, "a whole number") == 0 ? 0 : Size(key);

    public IReadOnlyList<double>? Numbers(string key) =>
        List(key, "a list of numbers")?.Select(item => Number(key, item, "a list of numbers")).ToList();

    public IReadOnlyList<double>? NumberOrNumbers(string key) => Node(key) is JsonValue value ? [Number(key, value, "a number")] : Numbers(key);

    public IReadOnlyList<int>? Sizes(string key) => Numbers(key)?.Select(value => Whole(key, value)).ToList();

    public IReadOnlyList<string>? Strings(string key) =>
        List(key, "a list of strings")?.Select(item => As<string>(key, item, "a list of strings")).ToList();

    public ConfigReader? Object(string key)
    {
        if (Node(key) is not { } node)
            return null;
        return node is JsonObject inner ? new ConfigReader(inner, source) { _prefix = _prefix + key + "." } : throw Refuse(key, "must be an object");
    }

    /// <summary>Marks keys as read that carry no arithmetic.</summary>
    public void Skip(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
            _read.Add(key);
    }

    /// <summary>Refuses what no one has read and no list calls harmless.</summary>
    public void RefuseUnreadKeys()
    {
        foreach ((string key, JsonNode? value) in json)
        {
            if (value is null || _read.Contains(key) || HarmlessKeys.Any.Contains(key) || Family?.Harmless.Contains(key) == true)
                continue;
            if (HarmlessKeys.Refused.TryGetValue(key, out string? mend))
                throw new InvalidInputException(source, Path(key), mend);
            if (!HarmlessKeys.AtOneValue.TryGetValue(key, out string? only) && Family?.AtOneValue.TryGetValue(key, out only) != true)
                throw new InvalidInputException(source, Path(key), $"is not a key Skiff knows{(Family is null ? "" : $" for model_type {Family.ModelType}")}; remove it if it does not change the arithmetic");
            if (!JsonNode.DeepEquals(value, JsonNode.Parse(only!)))
                throw new InvalidInputException(source, Path(key), $"{value.ToJsonString()} is not supported, only {only}");
        }
    }

    public InvalidInputException Refuse(string key, string problem) => new(source, Path(Family?.NameIn(json, key) ?? key), problem);

    private string Path(string name) => _prefix + (name.Length == 0 ? "\"\"" : name);

    private IEnumerable<string> Names(string key) => Family?.NamesOf(key) ?? [key];

    // A file may state one thing under the family's old and new name, but not two.
    private JsonNode? Node(string key)
    {
        JsonNode? found = null;
        foreach (string name in Names(key))
        {
            _read.Add(name);
            if (!json.TryGetPropertyValue(name, out JsonNode? node) || node is null)
                continue;
            if (found is not null && !JsonNode.DeepEquals(found, node))
                throw new InvalidInputException(source, Path(name), $"{node.ToJsonString()} contradicts {Family!.NameIn(json, key)} {found.ToJsonString()}");
            found ??= node;
        }

        return found;
    }

    private IEnumerable<JsonNode>? List(string key, string kind) => Node(key) switch
    {
        null => null,
        JsonArray array => array.Select(item => item ?? throw Refuse(key, "holds null")),
        _ => throw Refuse(key, $"must be {kind}"),
    };

    private int Whole(string key, double value) => value == Math.Floor(value) && value is >= 1 and <= LargestSize
        ? (int)value
        : throw Refuse(key, $"{value} must be a whole number from 1 to {LargestSize}");

    private double Number(string key, JsonNode node, string kind) => As<double>(key, node, kind) is var value && Math.Abs(value) < 1e30
        ? value
        : throw Refuse(key, $"{value} is no usable number");

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
