using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A fixed string or a regular expression of <c>tokenizer.json</c>.</summary>
internal sealed class TextPattern
{
    // A pattern from a file may backtrack without end; no sane one needs a second for a match.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    // Compiling an expression costs as much as running it over some pages.
    private const int LongText = 4096;

    private readonly string _source;
    private readonly Lazy<Regex>? _quick;
    private readonly Lazy<Regex>? _compiled;

    private TextPattern(string text, string? translated, string source)
    {
        Text = text;
        _source = source;
        if (translated is null)
            return;
        _quick = new Lazy<Regex>(() => new Regex(translated, RegexOptions.CultureInvariant, s_patience));
        _compiled = new Lazy<Regex>(() => new Regex(translated, RegexOptions.CultureInvariant | RegexOptions.Compiled, s_patience));
    }

    /// <summary>The string, or the expression as the file has it.</summary>
    public string Text { get; }

    /// <summary>Whether <see cref="Text"/> is an expression.</summary>
    public bool IsRegex => _quick is not null;

    /// <summary>A fixed string, which is not empty.</summary>
    public static TextPattern Literal(string text) => new(text, null, "");

    /// <summary>An expression in the syntax of Hugging Face's library (Oniguruma).</summary>
    /// <exception cref="InvalidInputException">The expression cannot be run here.</exception>
    public static TextPattern Expression(string text, string source, string field)
    {
        TextPattern pattern = new(text, RegexSyntax.Translate(text, source, field), source);
        try
        {
            // The known patterns need no check, and seldom run as expressions at all.
            if (SplitPatterns.Find(text) == KnownPattern.None)
                _ = pattern._quick!.Value;
            return pattern;
        }
        catch (ArgumentException e)
        {
            throw new InvalidInputException(source, field, $"expression '{text}' is not supported: {e.Message}", e);
        }
    }

    /// <summary>Reads <c>{"String": ...}</c> or <c>{"Regex": ...}</c>.</summary>
    public static TextPattern Read(JsonField node)
    {
        if (node.Text("String") is string literal)
            return literal.Length > 0 ? Literal(literal) : throw node.Refuse("an empty string matches everywhere");
        if (node.Text("Regex") is string expression)
            return Expression(expression, node.Source, node.Path + ".Regex");
        throw node.Refuse("has neither 'String' nor 'Regex'");
    }

    /// <summary>Writes the <c>pattern</c> property.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("pattern");
        json.WriteString(IsRegex ? "Regex" : "String", Text);
        json.WriteEndObject();
    }

    /// <summary>The text with every match replaced by <paramref name="content"/> as it stands.</summary>
    public string Replace(string text, string content)
    {
        if (!IsRegex)
            return text.Replace(Text, content, StringComparison.Ordinal);
        List<(int Start, int End)> matches = [];
        Find(text, matches);
        if (matches.Count == 0)
            return text;
        StringBuilder result = new(text.Length);
        int at = 0;
        foreach ((int start, int end) in matches)
        {
            result.Append(text, at, start - at).Append(content);
            at = end;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    /// <summary>Appends the matches that are not empty, in order. The piece is a text of its own to anchors and look-around.</summary>
    public void Find(ReadOnlySpan<char> piece, List<(int Start, int End)> matches)
    {
        if (!IsRegex)
        {
            for (int at = 0; piece[at..].IndexOf(Text, StringComparison.Ordinal) is int found and >= 0; at += found + Text.Length)
                matches.Add((at + found, at + found + Text.Length));
            return;
        }

        try
        {
            Regex regex = piece.Length >= LongText ? _compiled!.Value : _quick!.Value;
            if (piece.IndexOfAnyInRange('\uD800', '\uDFFF') >= 0)
            {
                FindInWide(regex, piece, matches);
                return;
            }

            foreach (ValueMatch match in regex.EnumerateMatches(piece))
            {
                if (match.Length > 0)
                    matches.Add((match.Index, match.Index + match.Length));
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            string seconds = s_patience.TotalSeconds.ToString(CultureInfo.InvariantCulture);
            throw new InvalidInputException(_source, "pattern", $"expression '{Text}' takes over {seconds} s for one match", e);
        }
    }

    // .NET's expressions see UTF-16 units, and half of a pair is in no letter class. So every character outside the basic
    // plane is shown as one character of its category, and the matches are mapped back.
    private static void FindInWide(Regex regex, ReadOnlySpan<char> piece, List<(int Start, int End)> matches)
    {
        char[] shadow = new char[piece.Length];
        int[] origin = new int[piece.Length + 1];
        int count = 0;
        for (int at = 0; at < piece.Length;)
        {
            OperationStatus status = Rune.DecodeFromUtf16(piece[at..], out Rune rune, out int used);
            origin[count] = at;
            shadow[count++] = status == OperationStatus.Done && rune.IsBmp ? (char)rune.Value : RegexSyntax.StandIn(rune);
            at += used;
        }

        origin[count] = piece.Length;
        foreach (ValueMatch match in regex.EnumerateMatches(shadow.AsSpan(0, count)))
        {
            if (match.Length > 0)
                matches.Add((origin[match.Index], origin[match.Index + match.Length]));
        }
    }
}
