using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Rewrites a text before it is cut.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text; the same object where nothing changed.</summary>
    public abstract string Apply(string text);

    /// <summary>Writes the object of <c>tokenizer.json</c>.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Reads any known normalizer.</summary>
    /// <exception cref="InvalidInputException">The type is unknown or a setting is wrong.</exception>
    public static Normalizer Read(JsonField node)
    {
        string type = node.Get("type").Text();
        return type switch
        {
            "Sequence" => new NormalizerSequence([.. node.Get("normalizers").Items().Select(Read)]),
            "NFC" or "NFD" or "NFKC" or "NFKD" => new UnicodeNormalizer(type),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new StripAccentsNormalizer(),
            "Strip" => new StripNormalizer(node.Bool("strip_left", true), node.Bool("strip_right", true)),
            "Prepend" => new PrependNormalizer(Short(node.Get("prepend"))),
            "Replace" => new ReplaceNormalizer(TextPattern.Read(node.Get("pattern")), Short(node.Get("content"))),
            "BertNormalizer" => BertNormalizer.Read(node),
            "Precompiled" => PrecompiledNormalizer.Read(node),
            "Nmt" => new NmtNormalizer(),
            _ => throw node.Refuse($"normalizer '{type}' is not supported"),
        };
    }

    // What is put in at every space must not let a short text fill the memory.
    private static string Short(JsonField node) =>
        node.Text() is { Length: <= AddedToken.LongestContent } text ? text : throw node.Refuse($"has over {AddedToken.LongestContent} characters");
}

/// <summary>Normalizers one after the other.</summary>
internal sealed class NormalizerSequence(Normalizer[] parts) : Normalizer
{
    /// <summary>The parts in order.</summary>
    public IReadOnlyList<Normalizer> Parts => parts;

    /// <inheritdoc/>
    public override string Apply(string text)
    {
        foreach (Normalizer part in parts)
            text = part.Apply(text);
        return text;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("normalizers");
        foreach (Normalizer part in parts)
            part.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>Puts a text before every segment that is not empty.</summary>
internal sealed class PrependNormalizer(string prepend) : Normalizer
{
    /// <summary>What is put there.</summary>
    public string Prepend => prepend;

    /// <inheritdoc/>
    public override string Apply(string text) => text.Length == 0 ? text : prepend + text;

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Prepend");
        json.WriteString("prepend", prepend);
        json.WriteEndObject();
    }
}

/// <summary>Replaces every match.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    /// <summary>What is looked for.</summary>
    public TextPattern Pattern => pattern;

    /// <summary>What is put in its place.</summary>
    public string Content => content;

    /// <inheritdoc/>
    public override string Apply(string text) => pattern.Replace(text, content);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Replace");
        pattern.Write(json);
        json.WriteString("content", content);
        json.WriteEndObject();
    }
}

/// <summary>Takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    /// <inheritdoc/>
    public override string Apply(string text)
    {
        text = left ? text.TrimStart() : text;
        return right ? text.TrimEnd() : text;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Strip");
        json.WriteBoolean("strip_left", left);
        json.WriteBoolean("strip_right", right);
        json.WriteEndObject();
    }
}
