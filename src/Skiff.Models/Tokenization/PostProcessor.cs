using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Puts special tokens before and behind the ids of a text.</summary>
internal abstract class PostProcessor
{
    /// <summary>Ids put before a single text.</summary>
    public virtual IReadOnlyList<int> Before => [];

    /// <summary>Ids put behind a single text.</summary>
    public virtual IReadOnlyList<int> After => [];

    /// <summary>Writes the object of <c>tokenizer.json</c>.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Reads any known post-processor.</summary>
    /// <exception cref="InvalidInputException">The type is unknown or a setting is wrong.</exception>
    public static PostProcessor Read(JsonField node)
    {
        string type = node.Get("type").Text();
        return type switch
        {
            "Sequence" => new PostProcessorSequence([.. node.Get("processors").Items().Select(Read)]),
            "TemplateProcessing" => TemplateProcessor.Read(node),
            "BertProcessing" or "RobertaProcessing" => new PairProcessor(type, ReadToken(node.Get("cls")), ReadToken(node.Get("sep"))),
            "ByteLevel" => new ByteLevelProcessor(),
            _ => throw node.Refuse($"post-processor '{type}' is not supported"),
        };
    }

    private static (string Text, int Id) ReadToken(JsonField node)
    {
        JsonField[] parts = [.. node.Items()];
        return parts.Length == 2 ? (parts[0].Text(), parts[1].Int()) : throw node.Refuse("is not a pair of text and id");
    }
}

/// <summary>Post-processors one after the other, each around the last.</summary>
internal sealed class PostProcessorSequence(PostProcessor[] parts) : PostProcessor
{
    /// <inheritdoc/>
    public override IReadOnlyList<int> Before { get; } = [.. parts.Reverse().SelectMany(p => p.Before)];

    /// <inheritdoc/>
    public override IReadOnlyList<int> After { get; } = [.. parts.SelectMany(p => p.After)];

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("processors");
        foreach (PostProcessor part in parts)
            part.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>BERT's and RoBERTa's: a class token before, a separator behind.</summary>
internal sealed class PairProcessor(string type, (string Text, int Id) cls, (string Text, int Id) sep) : PostProcessor
{
    /// <inheritdoc/>
    public override IReadOnlyList<int> Before { get; } = [cls.Id];

    /// <inheritdoc/>
    public override IReadOnlyList<int> After { get; } = [sep.Id];

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        foreach ((string name, (string text, int id)) in new[] { ("sep", sep), ("cls", cls) })
        {
            json.WriteStartArray(name);
            json.WriteStringValue(text);
            json.WriteNumberValue(id);
            json.WriteEndArray();
        }

        if (type == "RobertaProcessing")
        {
            json.WriteBoolean("trim_offsets", true);
            json.WriteBoolean("add_prefix_space", false);
        }

        json.WriteEndObject();
    }
}

/// <summary>Byte-level offsets, which ids do not depend on.</summary>
internal sealed class ByteLevelProcessor : PostProcessor
{
    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", true);
        json.WriteBoolean("trim_offsets", false);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }
}
