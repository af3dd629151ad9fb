using System.Text;
using System.Text.Json;

namespace Skiff.Models;

/// <summary>When a Metaspace component treats the text as if it began with a space.</summary>
internal enum PrependScheme
{
    /// <summary>In every piece.</summary>
    Always,

    /// <summary>Only at the start of the whole text.</summary>
    First,

    /// <summary>Never.</summary>
    Never,
}

/// <summary>SentencePiece's spaces: every space becomes a mark, and each marked word is a piece.</summary>
internal sealed class MetaspacePreTokenizer(char replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    /// <summary>The mark that stands for a space.</summary>
    public char Replacement => replacement;

    /// <summary>When a mark is put in front.</summary>
    public PrependScheme Scheme => scheme;

    /// <summary>Reads the settings, old (<c>add_prefix_space</c>) and new (<c>prepend_scheme</c>).</summary>
    public static new MetaspacePreTokenizer Read(JsonField node) =>
        new(ReadReplacement(node), ReadScheme(node), node.Bool("split", true));

    /// <summary>The mark, one UTF-16 unit.</summary>
    public static char ReadReplacement(JsonField node)
    {
        string text = node.Text("replacement") ?? "\u2581";
        return text.Length == 1 && !char.IsSurrogate(text[0]) ? text[0] : throw node.Refuse("'replacement' is not one character");
    }

    /// <summary>The scheme of a pre-tokenizer or a decoder.</summary>
    public static PrependScheme ReadScheme(JsonField node) => node.Text("prepend_scheme") switch
    {
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        null => node.Bool("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never,
        string other => throw node.Refuse($"prepend_scheme '{other}' is not known"),
    };

    /// <summary>Writes the object, which the decoder shares.</summary>
    public static void Write(Utf8JsonWriter json, char replacement, PrependScheme scheme, bool split)
    {
        json.WriteStartObject();
        json.WriteString("type", "Metaspace");
        json.WriteString("replacement", replacement.ToString());
        json.WriteString("prepend_scheme", scheme switch
        {
            PrependScheme.Always => "always",
            PrependScheme.First => "first",
            _ => "never",
        });
        json.WriteBoolean("split", split);
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override void Apply(PieceList pieces)
    {
        pieces.Rewrite(Mark, (replacement, scheme, pieces.AtStart));
        if (split)
            pieces.Split(FindMarks, SplitBehavior.MergedWithNext, invert: false);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => Write(json, replacement, scheme, split);

    private static void Mark(StringBuilder result, string text, int start, int length, (char Mark, PrependScheme Scheme, bool AtStart) state)
    {
        bool prepends = state.Scheme == PrependScheme.Always || (state.Scheme == PrependScheme.First && state.AtStart && start == 0);
        if (prepends && text[start] != ' ' && text[start] != state.Mark)
            result.Append(state.Mark);
        int from = result.Length;
        result.Append(text, start, length).Replace(' ', state.Mark, from, length);
    }

    private void FindMarks(ReadOnlySpan<char> piece, List<(int Start, int End)> matches)
    {
        for (int at = 0; piece[at..].IndexOf(replacement) is int found and >= 0; at += found + 1)
            matches.Add((at + found, at + found + 1));
    }
}
