using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Puts byte-level BPE tokenizers together: what <see cref="BpeTrainer"/> and <see cref="ByteLevelTokenizer"/> share.</summary>
internal static class ByteLevelParts
{
    /// <summary>The 256 bytes in the order of their stand-ins, which is the order of their ids in GPT-2's vocabulary.</summary>
    public static ReadOnlySpan<byte> ByteOrder => s_byteOrder;

    private static readonly byte[] s_byteOrder = [.. Enumerable.Range(0, 256).OrderBy(value => ByteAlphabet.Chars[value]).Select(value => (byte)value)];

    /// <summary>The scanner and the pre-tokenizer of a pattern's name.</summary>
    /// <exception cref="InvalidInputException">The name is none of <c>gpt2</c>, <c>llama3</c> and <c>qwen2</c>.</exception>
    public static (KnownPattern Scanner, PreTokenizer Cut) Pattern(string name) => name switch
    {
        "gpt2" => (KnownPattern.Gpt2, new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: true)),
        "llama3" => (KnownPattern.Llama3, KnownPreTokenizers.Split(SplitPatterns.Llama3)),
        "qwen2" => (KnownPattern.Qwen2, KnownPreTokenizers.Split(SplitPatterns.Qwen2)),
        _ => throw new InvalidInputException("pattern", name, "not known: gpt2, llama3 or qwen2"),
    };

    /// <summary>Refuses special tokens that are empty, too long, given twice, or spelled like one of the 256 bytes.</summary>
    public static void CheckSpecialTokens(IEnumerable<string> tokens)
    {
        HashSet<string> seen = [.. ByteAlphabet.Chars.ToArray().Select(c => c.ToString())];
        foreach (string token in tokens)
        {
            if (string.IsNullOrWhiteSpace(token) || token.Length > AddedToken.LongestContent)
                throw new InvalidInputException("special token", $"\"{token}\"", $"must have 1 to {AddedToken.LongestContent} characters, and not only white space");
            if (!seen.Add(token))
                throw new InvalidInputException("special token", token, token.Length == 1 ? "is the spelling of a byte" : "is given twice");
        }
    }

    /// <summary>The tokenizer of these tokens, by id, and merges, first rank first.</summary>
    public static Tokenizer Build(
        string source, IReadOnlyList<string> tokens, IReadOnlyList<(int First, int Second)> merges, IEnumerable<int> specialIds, PreTokenizer cut, string? bosToken, string? eosToken)
    {
        Vocabulary vocabulary = new([.. tokens.Select((text, id) => (text, id))], source, "vocabulary");
        Merge[] ranked = new Merge[merges.Count];
        for (int rank = 0; rank < ranked.Length; rank++)
        {
            (int first, int second) = merges[rank];
            ranked[rank] = new Merge(first, second, rank, vocabulary.IdOf(tokens[first] + tokens[second]));
        }

        return new Tokenizer(new TokenizerSpec
        {
            Source = source,
            AddedTokens = [.. specialIds.Select(id => new AddedToken(id, tokens[id]) { Special = true })],
            PreTokenizer = cut,
            Model = new BpeModel(vocabulary, ranked, new BpeOptions(), source),
            Decoder = KnownPreTokenizers.ByteLevelDecoder,
            BosToken = bosToken,
            EosToken = eosToken,
        });
    }
}
