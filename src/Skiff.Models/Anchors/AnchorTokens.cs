using System.Text;

namespace Skiff.Models;

/// <summary>Finds in a tokenizer's vocabulary what ends a segment.</summary>
public static class AnchorTokens
{
    /// <summary>The name of the token that is added for anchors.</summary>
    public const string Added = "<AC>";

    private const string Marks = ".?!…。？！", Closers = "\"'”’)]»";

    // Whole words (and, where a vocabulary joins a mark to the letter behind it, the ".g" of "e.g.") that a full stop follows without an end.
    private static readonly HashSet<string> s_abbreviations = new(StringComparer.Ordinal)
    {
        "Mr", "Mrs", "Ms", "Dr", "St", "Jr", "Sr", "Prof", "Rev", "Hon", "Capt", "Col", "Gen", "Lt", "Sgt", "Mt", "No", "Vol", "Fig", "vs", "etc", "cf", "al", "Co", "Inc", "Ltd",
        "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec", "approx", "Ph",
    };

    /// <summary>Ends of sentences: full stops, question and exclamation marks, with the quotation marks and brackets that close with them.</summary>
    public static AnchorConfig Sentences(Tokenizer tokenizer)
    {
        List<int> ends = [], stops = [], notAfter = [], letters = [];
        foreach ((int id, string text) in Texts(tokenizer))
        {
            string word = text.TrimStart();
            if (word.TrimEnd() is { Length: > 0 } mark && Marks.Contains(mark[0]) && mark.All(c => Marks.Contains(c) || Closers.Contains(c)))
                (mark[0] == '.' && !mark.Skip(1).Any(Marks.Contains) ? stops : ends).Add(id);
            else if (char.IsAsciiDigit(text[^1]) || (text is ['.', var letter] && char.IsLetter(letter)) || s_abbreviations.Contains(word) || (word.Length == 1 && text.Length > 1 && char.IsLetter(word[0])))
                notAfter.Add(id);
            else if (text.Length == 1 && char.IsLetter(text[0]))
                letters.Add(id);
        }

        return new AnchorConfig { EndIds = ends, StopIds = stops, NotAfterIds = notAfter, LetterIds = letters };
    }

    /// <summary>Ends of lines: one line is one demonstration of a task.</summary>
    public static AnchorConfig Lines(Tokenizer tokenizer) => new() { EndIds = [.. Texts(tokenizer).Where(entry => entry.Text.EndsWith('\n')).Select(entry => entry.Id)] };

    private static IEnumerable<(int Id, string Text)> Texts(Tokenizer tokenizer) =>
        from id in Enumerable.Range(0, tokenizer.VocabularySize)
        where !tokenizer.IsSpecial(id)
        let text = Encoding.UTF8.GetString(tokenizer.BytesOf(id))
        where text.Length > 0
        select (id, text);
}
