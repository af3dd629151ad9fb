using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Token texts by id and ids by text. Ids may have holes; two ids never share a text.</summary>
internal sealed class Vocabulary
{
    /// <summary>Holes cost memory, so a file cannot claim ids far above its number of tokens.</summary>
    public const int AllowedHoles = 65_536;

    private readonly string?[] _texts;
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <summary>Checks and stores the tokens; <paramref name="field"/> names them in a refusal.</summary>
    /// <exception cref="InvalidInputException">An id is negative, far too large or used twice, or a text is used twice.</exception>
    public Vocabulary(IReadOnlyList<(string Text, int Id)> tokens, string source, string field)
    {
        int size = 0;
        foreach ((string text, int id) in tokens)
        {
            if (id < 0 || id >= (2L * tokens.Count) + AllowedHoles)
                throw new InvalidInputException(source, field, $"token '{text}' has id {id}, out of range for {tokens.Count} tokens");
            size = Math.Max(size, id + 1);
        }

        _texts = new string?[size];
        _ids = new Dictionary<string, int>(tokens.Count, StringComparer.Ordinal);
        foreach ((string text, int id) in tokens)
        {
            if (_texts[id] is string other)
                throw new InvalidInputException(source, field, $"id {id} is given to '{other}' and to '{text}'");
            if (!_ids.TryAdd(text, id))
                throw new InvalidInputException(source, field, $"token '{text}' has two ids, {_ids[text]} and {id}");
            _texts[id] = text;
        }

        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Largest id plus one.</summary>
    public int Size => _texts.Length;

    /// <summary>Number of tokens.</summary>
    public int Count => _ids.Count;

    /// <summary>The text of an id; null for a hole or an id outside.</summary>
    public string? this[int id] => (uint)id < (uint)_texts.Length ? _texts[id] : null;

    /// <summary>The id of a text, or -1.</summary>
    public int IdOf(ReadOnlySpan<char> text) => _lookup.TryGetValue(text, out int id) ? id : -1;

    /// <summary>The tokens in order of id.</summary>
    public IEnumerable<(string Text, int Id)> Tokens()
    {
        for (int id = 0; id < _texts.Length; id++)
        {
            if (_texts[id] is string text)
                yield return (text, id);
        }
    }
}
