using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>BERT's WordPiece: the longest token first, a word with an unknown part being unknown as a whole.</summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly string _unknownToken;
    private readonly int _unknown;
    private readonly string _prefix;
    private readonly int _longestWord;
    private readonly int _longestToken;

    /// <summary>Checks that the unknown token is there.</summary>
    public WordPieceModel(Vocabulary vocabulary, string unknownToken, string prefix, int longestWord, string source)
        : base(vocabulary)
    {
        _unknownToken = unknownToken;
        _prefix = prefix;
        _longestWord = longestWord;
        _unknown = vocabulary.IdOf(unknownToken);
        if (_unknown < 0)
            throw new InvalidInputException(source, "model.unk_token", $"'{unknownToken}' is not in the vocabulary");
        foreach ((string text, _) in vocabulary.Tokens())
            _longestToken = Math.Max(_longestToken, text.Length);
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown;

    /// <summary>What marks a token that continues a word.</summary>
    public string Prefix => _prefix;

    /// <summary>Reads the model object.</summary>
    public static WordPieceModel Read(JsonField node, Vocabulary vocabulary) =>
        new(vocabulary, node.Text("unk_token") ?? "[UNK]", node.Text("continuing_subword_prefix") ?? "##", node.Int("max_input_chars_per_word", 100), node.Source);

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> piece, Workspace workspace)
    {
        int first = workspace.Count;
        int characters = piece.Length;
        foreach (char c in piece)
            characters -= char.IsLowSurrogate(c) ? 1 : 0;
        int start = 0;
        while (characters <= _longestWord && start < piece.Length)
        {
            int id = -1;
            int end = Math.Min(piece.Length, start + _longestToken);
            for (; end > start && id < 0; end--)
            {
                ReadOnlySpan<char> part = piece[start..end];
                id = Vocabulary.IdOf(start == 0 ? part : string.Concat(_prefix, part));
                if (id >= 0)
                    break;
            }

            if (id < 0)
                break;
            workspace.Append(id);
            start = end;
        }

        if (start == piece.Length)
            return;
        workspace.Count = first;
        workspace.Append(_unknown);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "WordPiece");
        json.WriteString("unk_token", _unknownToken);
        json.WriteString("continuing_subword_prefix", _prefix);
        json.WriteNumber("max_input_chars_per_word", _longestWord);
        WriteVocabulary(json);
    }
}
