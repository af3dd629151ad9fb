using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Walks over a small JSON text without building a tree, so that memory stays in proportion to what is kept. Every
/// fault of the text becomes a refusal that names the source.
/// </summary>
internal ref struct JsonCursor(ReadOnlySpan<byte> json, string source, string part)
{
    private const int Depth = 16;
    private Utf8JsonReader _reader = new(json, new JsonReaderOptions { MaxDepth = Depth });

    /// <summary>The kind of the current token.</summary>
    public readonly JsonTokenType Kind => _reader.TokenType;

    /// <summary>Steps to the next token, which must be there.</summary>
    public void Next()
    {
        if (!Read())
            throw Refuse(part, "the JSON text ends too early");
    }

    /// <summary>Steps to the next token, which must be of this kind.</summary>
    public void Expect(JsonTokenType kind, string field, string wanted)
    {
        Next();
        if (Kind != kind)
            throw Refuse(field, $"must be {wanted}");
    }

    /// <summary>Steps to the next key of the current object; false at its end.</summary>
    public bool NextKey()
    {
        Next();
        return Kind == JsonTokenType.PropertyName;
    }

    /// <summary>The same, with the key's text.</summary>
    public bool NextKey(out string key)
    {
        bool found = NextKey();
        key = found ? Text(part) : "";
        return found;
    }

    /// <summary>True if the current key or string is this one; takes no memory unless it is written with escapes.</summary>
    public readonly bool Is(string text) => _reader.ValueIsEscaped ? Text(part) == text : _reader.ValueTextEquals(text);

    /// <summary>Steps to a string value.</summary>
    public string String(string field)
    {
        Next();
        return Text(field);
    }

    /// <summary>The current key or string.</summary>
    public readonly string Text(string field)
    {
        if (Kind is not (JsonTokenType.String or JsonTokenType.PropertyName))
            throw Refuse(field, "must be a string");
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Refuse(field, "a string is not valid UTF-8 or holds half a surrogate pair");
        }
    }

    /// <summary>The current token as a whole number of at least 0.</summary>
    public readonly bool TryWhole(out long value)
    {
        value = 0;
        return Kind == JsonTokenType.Number && _reader.TryGetInt64(out value) && value >= 0;
    }

    /// <summary>Steps over the next value whatever it is.</summary>
    public void Skip()
    {
        Next();
        int depth = _reader.CurrentDepth;
        if (Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            return;
        while (Kind is not (JsonTokenType.EndObject or JsonTokenType.EndArray) || _reader.CurrentDepth != depth)
            Next();
    }

    /// <summary>Refuses anything but blanks after the text.</summary>
    public void End()
    {
        if (Read())
            throw Refuse(part, "more than one JSON value");
    }

    private bool Read()
    {
        try
        {
            return _reader.Read();
        }
        catch (JsonException e)
        {
            throw Refuse(part, $"not valid JSON: {e.Message}");
        }
    }

    private readonly InvalidInputException Refuse(string field, string problem) => new(source, field.Length == 0 ? "\"\"" : field, problem);
}
