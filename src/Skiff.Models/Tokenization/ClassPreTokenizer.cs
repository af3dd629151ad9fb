using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Skiff.Models;

/// <summary>Cuts at characters of a class: Digits, Punctuation, WhitespaceSplit, and BERT's white space and punctuation.</summary>
internal sealed class ClassPreTokenizer(string type, SplitBehavior behavior) : PreTokenizer
{
    /// <summary>Which of the four it is.</summary>
    public string Type => type;

    /// <summary>What becomes of the characters.</summary>
    public SplitBehavior Behavior => behavior;

    /// <inheritdoc/>
    public override void Apply(PieceList pieces)
    {
        switch (type)
        {
            case "Digits":
                pieces.Split(static (piece, matches) => Find(piece, matches, Rune.IsNumber), behavior, invert: false);
                break;
            case "Punctuation":
                pieces.Split(static (piece, matches) => Find(piece, matches, CharClass.IsPunctuation), behavior, invert: false);
                break;
            case "WhitespaceSplit":
                pieces.Split(static (piece, matches) => Find(piece, matches, Rune.IsWhiteSpace), behavior, invert: false);
                break;
            default:
                pieces.Split(static (piece, matches) => Find(piece, matches, Rune.IsWhiteSpace), SplitBehavior.Removed, invert: false);
                pieces.Split(static (piece, matches) => Find(piece, matches, CharClass.IsPunctuation), SplitBehavior.Isolated, invert: false);
                break;
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        if (type == "Digits")
            json.WriteBoolean("individual_digits", behavior == SplitBehavior.Isolated);
        else if (type == "Punctuation")
            json.WriteString("behavior", behavior.ToString());
        json.WriteEndObject();
    }

    private static void Find(ReadOnlySpan<char> piece, List<(int Start, int End)> matches, Func<Rune, bool> isMatch)
    {
        for (int at = 0; at < piece.Length;)
        {
            OperationStatus status = Rune.DecodeFromUtf16(piece[at..], out Rune rune, out int used);
            if (status == OperationStatus.Done && isMatch(rune))
                matches.Add((at, at + used));
            at += used;
        }
    }
}

/// <summary>Runs of word characters and runs of signs, white space dropped: <c>Whitespace</c>, <c>\w+|[^\w\s]+</c>.</summary>
internal sealed class WordPreTokenizer : PreTokenizer
{
    /// <inheritdoc/>
    public override void Apply(PieceList pieces) => pieces.Split(Find, SplitBehavior.Removed, invert: true);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Whitespace");
        json.WriteEndObject();
    }

    private static void Find(ReadOnlySpan<char> piece, List<(int Start, int End)> matches)
    {
        int start = 0;
        int kind = -1;
        for (int at = 0; at <= piece.Length;)
        {
            int used = 1;
            int next = -1;
            if (at < piece.Length && Rune.DecodeFromUtf16(piece[at..], out Rune rune, out used) >= OperationStatus.Done)
                next = CharClass.IsWord(rune) ? 1 : Rune.IsWhiteSpace(rune) ? -1 : 0;
            if (next != kind)
            {
                if (kind >= 0)
                    matches.Add((start, at));
                start = at;
                kind = next;
            }

            at += used;
        }
    }
}

/// <summary>Drops every occurrence of one character: <c>CharDelimiterSplit</c>.</summary>
internal sealed class DelimiterPreTokenizer : PreTokenizer
{
    private readonly TextPattern _delimiter;

    /// <summary>Reads the <c>delimiter</c>, one character.</summary>
    public DelimiterPreTokenizer(JsonField delimiter)
    {
        string text = delimiter.Text();
        if (Rune.DecodeFromUtf16(text, out _, out int used) != OperationStatus.Done || used != text.Length)
            throw delimiter.Refuse("is not one character");
        _delimiter = TextPattern.Literal(text);
    }

    /// <inheritdoc/>
    public override void Apply(PieceList pieces) => pieces.Split(_delimiter.Find, SplitBehavior.Removed, invert: false);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "CharDelimiterSplit");
        json.WriteString("delimiter", _delimiter.Text);
        json.WriteEndObject();
    }
}
