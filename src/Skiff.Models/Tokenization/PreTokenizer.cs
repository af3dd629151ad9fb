using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Cuts a text into the pieces that the model sees one by one.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts, or rewrites, the pieces.</summary>
    public abstract void Apply(PieceList pieces);

    /// <summary>Writes the object of <c>tokenizer.json</c>.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Reads any known pre-tokenizer.</summary>
    /// <exception cref="InvalidInputException">The type is unknown or a setting is wrong.</exception>
    public static PreTokenizer Read(JsonField node)
    {
        string type = node.Get("type").Text();
        return type switch
        {
            "Sequence" => new PreTokenizerSequence([.. node.Get("pretokenizers").Items().Select(Read)]),
            "ByteLevel" => new ByteLevelPreTokenizer(node.Bool("add_prefix_space", true), node.Bool("use_regex", true)),
            "Split" => new SplitPreTokenizer(TextPattern.Read(node.Get("pattern")), ReadBehavior(node, null), node.Bool("invert", false)),
            "Metaspace" => MetaspacePreTokenizer.Read(node),
            "Digits" => new ClassPreTokenizer(type, node.Bool("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "Punctuation" => new ClassPreTokenizer(type, ReadBehavior(node, SplitBehavior.Isolated)),
            "WhitespaceSplit" or "BertPreTokenizer" => new ClassPreTokenizer(type, SplitBehavior.Removed),
            "Whitespace" => new WordPreTokenizer(),
            "CharDelimiterSplit" => new DelimiterPreTokenizer(node.Get("delimiter")),
            _ => throw node.Refuse($"pre-tokenizer '{type}' is not supported"),
        };
    }

    private static SplitBehavior ReadBehavior(JsonField node, SplitBehavior? otherwise)
    {
        string? name = node.Text("behavior");
        if (name is null && otherwise is SplitBehavior behavior)
            return behavior;
        return Enum.TryParse(name, out behavior) && Enum.IsDefined(behavior) && char.IsAsciiLetter(name![0])
            ? behavior
            : throw node.Refuse($"behavior '{name}' is not known");
    }
}

/// <summary>Pre-tokenizers one after the other.</summary>
internal sealed class PreTokenizerSequence(PreTokenizer[] parts) : PreTokenizer
{
    /// <summary>The parts in order.</summary>
    public IReadOnlyList<PreTokenizer> Parts => parts;

    /// <inheritdoc/>
    public override void Apply(PieceList pieces)
    {
        foreach (PreTokenizer part in parts)
            part.Apply(pieces);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (PreTokenizer part in parts)
            part.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>Cuts at a string or an expression.</summary>
internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    /// <summary>What is looked for.</summary>
    public TextPattern Pattern => pattern;

    /// <summary>What becomes of the matches.</summary>
    public SplitBehavior Behavior => behavior;

    /// <summary>Whether what lies between the matches counts as matched instead.</summary>
    public bool Invert => invert;

    /// <inheritdoc/>
    public override void Apply(PieceList pieces) => pieces.Split(pattern.Find, behavior, invert);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Split");
        pattern.Write(json);
        json.WriteString("behavior", behavior.ToString());
        json.WriteBoolean("invert", invert);
        json.WriteEndObject();
    }
}

/// <summary>GPT-2's: cuts with its pattern if asked to, then writes every byte as a printable character.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    private static readonly Lazy<TextPattern> s_pattern = new(() => TextPattern.Expression(SplitPatterns.Gpt2, "ByteLevel", "pattern"));

    /// <summary>Whether a piece that does not begin with a space gets one.</summary>
    public bool AddPrefixSpace => addPrefixSpace;

    /// <summary>Whether GPT-2's pattern cuts the text.</summary>
    public bool UseRegex => useRegex;

    /// <inheritdoc/>
    public override void Apply(PieceList pieces)
    {
        Cut(pieces);
        pieces.Rewrite(
            static (result, text, start, length, _) =>
            {
                foreach (byte value in Encoding.UTF8.GetBytes(text, start, length))
                    result.Append(ByteAlphabet.Chars[value]);
            },
            0);
    }

    /// <summary>Only the cutting: the byte-level engine needs no printable stand-ins.</summary>
    public void Cut(PieceList pieces)
    {
        if (addPrefixSpace)
        {
            pieces.Rewrite(
                static (result, text, start, length, _) => result.Append(text[start] == ' ' ? "" : " ").Append(text, start, length),
                0);
        }

        if (useRegex)
            pieces.Split(s_pattern.Value.Find, SplitBehavior.Isolated, invert: false);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }
}
