using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads the <c>model</c> object of <c>tokenizer.json</c>.</summary>
internal static class TokenModelReader
{
    /// <summary>Reads any known model; <paramref name="special"/> tokens are not to be found in text by the model itself.</summary>
    /// <exception cref="InvalidInputException">The type is unknown or the vocabulary or a merge is unusable.</exception>
    public static TokenModel Read(JsonField node, IReadOnlySet<string> special)
    {
        // Files older than the 'type' key are told apart by what they hold.
        string type = node.Text("type") ?? (node.TryGet("merges", out _) ? "BPE" : node.TryGet("unk_id", out _) ? "Unigram" : "WordPiece");
        return type switch
        {
            "BPE" => ReadBpe(node),
            "Unigram" => UnigramModel.Read(node, special),
            "WordPiece" => WordPieceModel.Read(node, ReadVocabulary(node.Get("vocab"))),
            _ => throw node.Refuse($"model '{type}' is not supported"),
        };
    }

    /// <summary>Reads an object of text to id.</summary>
    public static Vocabulary ReadVocabulary(JsonField node)
    {
        List<(string Text, int Id)> tokens = [];
        node.Expect(JsonValueKind.Object);
        foreach (JsonProperty property in node.Element.EnumerateObject())
        {
            string text = node.NameOf(property);
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id))
                throw node.Refuse($"the id of '{text}' is not a whole number of 32 bits");
            tokens.Add((text, id));
        }

        return new Vocabulary(tokens, node.Source, node.Path.Length == 0 ? "vocab" : node.Path);
    }

    /// <summary>Resolves one merge; its parts and its result must be tokens, and the result longer than either part.</summary>
    public static Merge Resolve(Vocabulary vocabulary, string left, string right, int rank, int prefixLength, string source, string field)
    {
        int leftId = vocabulary.IdOf(left);
        int rightId = vocabulary.IdOf(right);
        if (leftId < 0 || rightId < 0)
            throw new InvalidInputException(source, field, $"merge {rank} names '{(leftId < 0 ? left : right)}', which is not in the vocabulary");
        // A result no longer than its parts could be merged for ever.
        if (left.Length == 0 || right.Length <= prefixLength)
            throw new InvalidInputException(source, field, $"merge {rank} of '{left}' and '{right}' adds nothing");
        int merged = vocabulary.IdOf(string.Concat(left, right.AsSpan(prefixLength)));
        return merged >= 0
            ? new Merge(leftId, rightId, rank, merged)
            : throw new InvalidInputException(source, field, $"merge {rank} makes '{left}{right[prefixLength..]}', which is not in the vocabulary");
    }

    private static BpeModel ReadBpe(JsonField node)
    {
        if (node.TryGet("dropout", out JsonField dropout) && dropout.Double() != 0)
            throw dropout.Refuse("encoding with dropout is random and not supported; set it to null");
        Vocabulary vocabulary = ReadVocabulary(node.Get("vocab"));
        BpeOptions options = new()
        {
            UnknownToken = node.Text("unk_token"),
            FuseUnknown = node.Bool("fuse_unk", false),
            ByteFallback = node.Bool("byte_fallback", false),
            IgnoreMerges = node.Bool("ignore_merges", false),
            ContinuingSubwordPrefix = node.Text("continuing_subword_prefix") is string prefix and not "" ? prefix : null,
            EndOfWordSuffix = node.Text("end_of_word_suffix") is string suffix and not "" ? suffix : null,
        };
        int prefixLength = options.ContinuingSubwordPrefix?.Length ?? 0;
        JsonField list = node.Get("merges");
        list.Expect(JsonValueKind.Array);
        Merge[] merges = new Merge[list.Element.GetArrayLength()];
        int rank = 0;
        foreach (JsonElement item in list.Element.EnumerateArray())
        {
            (string left, string right) = ReadPair(new JsonField(node.Source, list.Path, item), rank);
            merges[rank] = Resolve(vocabulary, left, right, rank, prefixLength, node.Source, list.Path);
            rank++;
        }

        return new BpeModel(vocabulary, merges, options, node.Source);
    }

    // "left right" in older files, ["left", "right"] in newer ones.
    private static (string Left, string Right) ReadPair(JsonField item, int rank)
    {
        if (item.Element.ValueKind == JsonValueKind.Array && item.Element.GetArrayLength() == 2)
            return (new JsonField(item.Source, item.Path, item.Element[0]).Text(), new JsonField(item.Source, item.Path, item.Element[1]).Text());
        string text = item.Element.ValueKind == JsonValueKind.String ? item.Text() : "";
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && text.IndexOf(' ', space + 1) < 0
            ? (text[..space], text[(space + 1)..])
            : throw item.Refuse($"merge {rank} is not a pair of tokens");
    }
}
