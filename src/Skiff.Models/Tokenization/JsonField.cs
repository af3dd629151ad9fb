using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A JSON value that knows its file and path, so that every refusal names both.</summary>
internal readonly struct JsonField(string source, string path, JsonElement element)
{
    /// <summary>The file the value came from.</summary>
    public string Source => source;

    /// <summary>Dotted path from the root.</summary>
    public string Path => path;

    /// <summary>The value itself.</summary>
    public JsonElement Element => element;

    /// <summary>Parses a whole document; the element outlives the document.</summary>
    /// <exception cref="InvalidInputException">The bytes are not JSON.</exception>
    public static JsonField Parse(ReadOnlySpan<byte> json, string source)
    {
        if (json.StartsWith("\uFEFF"u8))
            json = json[3..];
        try
        {
            Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 64 });
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            if (reader.Read())
                throw new InvalidInputException(source, "json", "text after the end of the document");
            return new JsonField(source, "", document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw new InvalidInputException(source, "json", e.Message, e);
        }
    }

    /// <summary>A refusal of this value.</summary>
    public InvalidInputException Refuse(string problem) => new(source, path.Length == 0 ? "json" : path, problem);

    /// <summary>The property, or false where it is absent or null.</summary>
    public bool TryGet(string name, out JsonField node)
    {
        Expect(JsonValueKind.Object);
        try
        {
            bool found = element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
            node = found ? new JsonField(source, path.Length == 0 ? name : path + "." + name, value) : default;
            return found;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidInputException(source, path.Length == 0 ? "json" : path, "a name holds half of a surrogate pair", e);
        }
    }

    /// <summary>The property, which must be there.</summary>
    public JsonField Get(string name) => TryGet(name, out JsonField node) ? node : throw Refuse($"has no '{name}'");

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonField> Items()
    {
        Expect(JsonValueKind.Array);
        int index = 0;
        foreach (JsonElement item in element.EnumerateArray())
            yield return new JsonField(source, $"{path}[{index++}]", item);
    }

    /// <summary>The values of an object's properties, their names being the last part of their paths.</summary>
    public IEnumerable<JsonField> Properties()
    {
        Expect(JsonValueKind.Object);
        foreach (JsonProperty property in element.EnumerateObject())
            yield return new JsonField(source, path.Length == 0 ? NameOf(property) : path + "." + NameOf(property), property.Value);
    }

    /// <summary>A property's name.</summary>
    /// <exception cref="InvalidInputException">The name holds half of a surrogate pair.</exception>
    public string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidInputException(source, path.Length == 0 ? "json" : path, "a name holds half of a surrogate pair", e);
        }
    }

    /// <summary>The text of a string.</summary>
    public string Text()
    {
        Expect(JsonValueKind.String);
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidInputException(source, path.Length == 0 ? "json" : path, "holds half of a surrogate pair", e);
        }
    }

    /// <summary>A whole number of 32 bits.</summary>
    public int Int() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) ? value : throw Refuse("is not a whole number of 32 bits");

    /// <summary>A finite number.</summary>
    public double Double() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value)
            ? value
            : throw Refuse("is not a finite number");

    /// <summary>A truth value.</summary>
    public bool Bool() => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Refuse("is not true or false"),
    };

    /// <summary>The optional text of a property.</summary>
    public string? Text(string name) => TryGet(name, out JsonField node) ? node.Text() : null;

    /// <summary>The optional truth value of a property.</summary>
    public bool Bool(string name, bool otherwise) => TryGet(name, out JsonField node) ? node.Bool() : otherwise;

    /// <summary>The optional whole number of a property.</summary>
    public int Int(string name, int otherwise) => TryGet(name, out JsonField node) ? node.Int() : otherwise;

    /// <summary>Refuses every kind but <paramref name="kind"/>.</summary>
    public void Expect(JsonValueKind kind)
    {
        if (element.ValueKind != kind)
            throw Refuse($"is not a JSON {(kind == JsonValueKind.Object ? "object" : kind == JsonValueKind.Array ? "array" : "string")}");
    }
}
