using System.Buffers;
using System.Text;

namespace Skiff.Models;

/// <summary>Finds added tokens in a text: leftmost, then longest, with their white-space and whole-word rules.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<(int Node, char Next), int> _edges = [];
    private readonly List<AddedToken?> _tokens = [null];
    private readonly SearchValues<char> _first;
    private readonly bool _plainSpecial;

    /// <summary>
    /// A matcher over contents and their tokens (the content differs from the token's own where a normalizer changed it).
    /// With <paramref name="plainSpecial"/> special tokens are text like any other.
    /// </summary>
    public AddedTokenMatcher(IEnumerable<(string Content, AddedToken Token)> tokens, bool plainSpecial = false)
    {
        _plainSpecial = plainSpecial;
        HashSet<char> first = [];
        foreach ((string content, AddedToken token) in tokens)
        {
            if (content.Length == 0)
                continue;
            first.Add(content[0]);
            int node = 0;
            foreach (char c in content)
            {
                if (!_edges.TryGetValue((node, c), out int next))
                {
                    next = _tokens.Count;
                    _tokens.Add(null);
                    _edges.Add((node, c), next);
                }

                node = next;
            }

            _tokens[node] = token;
        }

        _first = SearchValues.Create([.. first]);
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty => _tokens.Count == 1;

    /// <summary>The first token at or behind <paramref name="from"/>, with the white space it takes; false at the end.</summary>
    public bool Next(ReadOnlySpan<char> text, int from, out int start, out int end, out int id)
    {
        int at = from;
        while (at < text.Length)
        {
            int skip = text[at..].IndexOfAny(_first);
            if (skip < 0)
                break;
            at += skip;
            AddedToken? token = LongestAt(text, at, out int length);
            if (token is null)
            {
                at++;
                continue;
            }

            start = at;
            end = at + length;
            // A match that is turned down is passed over whole.
            at = end;
            if ((_plainSpecial && token.Special) || (token.SingleWord && (EndsInWord(text[..start]) || StartsInWord(text[end..]))))
                continue;
            if (token.LeftStrip)
                start = from + text[from..start].TrimEnd().Length;
            if (token.RightStrip)
                end = text.Length - text[end..].TrimStart().Length;
            id = token.Id;
            return true;
        }

        start = end = text.Length;
        id = -1;
        return false;
    }

    private AddedToken? LongestAt(ReadOnlySpan<char> text, int at, out int length)
    {
        AddedToken? found = null;
        length = 0;
        int node = 0;
        for (int i = at; i < text.Length && _edges.TryGetValue((node, text[i]), out node); i++)
        {
            if (_tokens[node] is AddedToken token)
            {
                found = token;
                length = i + 1 - at;
            }
        }

        return found;
    }

    private static bool EndsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && CharClass.IsWord(rune);

    private static bool StartsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && CharClass.IsWord(rune);
}
