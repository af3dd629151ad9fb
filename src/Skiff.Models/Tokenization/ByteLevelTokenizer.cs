using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Tokenizers for models that have not learned anything yet.</summary>
public static class ByteLevelTokenizer
{
    /// <summary>The special token where none is named.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>
    /// A working byte-level BPE tokenizer of any size without training data. Special tokens stand at the ids given, the
    /// 256 bytes take the first free ids in GPT-2's order, and the rest are words of lower-case letters after a blank
    /// (" a" to " z", " aa" to " zz", ...), each merged from the word before its last letter and that letter, so every
    /// id is decodable, unique and reachable.
    /// </summary>
    /// <param name="vocabularySize">Entries, special tokens included: at least 256 and one for each of those.</param>
    /// <param name="specialTokens">Special tokens by id; without any, <see cref="EndOfText"/> has id 0 and begins and ends a text.</param>
    /// <param name="bosToken">Which of them begins a text.</param>
    /// <param name="eosToken">Which of them ends a text.</param>
    /// <exception cref="InvalidInputException">The size is too small, or a special token or its id cannot be used.</exception>
    public static Tokenizer Create(
        int vocabularySize, IReadOnlyDictionary<int, string>? specialTokens = null, string? bosToken = null, string? eosToken = null)
    {
        if (specialTokens is null)
        {
            specialTokens = new Dictionary<int, string> { [0] = EndOfText };
            bosToken ??= EndOfText;
            eosToken ??= EndOfText;
        }

        Check(vocabularySize, specialTokens, bosToken, eosToken);
        string[] tokens = new string[vocabularySize];
        foreach ((int id, string text) in specialTokens)
            tokens[id] = text;
        int free = 0;
        int Place(string token)
        {
            while (tokens[free] is not null)
                free++;
            tokens[free] = token;
            return free;
        }

        int[] byteIds = new int[256];
        foreach (byte value in ByteLevelParts.ByteOrder)
            byteIds[value] = Place(ByteAlphabet.Chars[value].ToString());

        // Words in order of length: each stem, from the blank on, takes each letter in turn.
        int words = vocabularySize - 256 - specialTokens.Count;
        HashSet<string> reserved = [.. specialTokens.Values];
        List<int> stems = [byteIds[' ']];
        List<(int First, int Second)> merges = new(words);
        for (int next = 0; merges.Count < words; next++)
        {
            for (char letter = 'a'; letter <= 'z' && merges.Count < words; letter++)
            {
                string token = tokens[stems[next]] + letter;
                if (reserved.Contains(token))
                    throw new InvalidInputException("special token", token, "is the spelling of a filler token: name it otherwise");
                stems.Add(Place(token));
                merges.Add((stems[next], byteIds[letter]));
            }
        }

        return ByteLevelParts.Build("byte-level tokenizer", tokens, merges, specialTokens.Keys.Order(), ByteLevelParts.Pattern("gpt2").Cut, bosToken, eosToken);
    }

    private static void Check(int vocabularySize, IReadOnlyDictionary<int, string> specialTokens, string? bosToken, string? eosToken)
    {
        ByteLevelParts.CheckSpecialTokens(specialTokens.Values);
        int least = 256 + specialTokens.Count;
        if (vocabularySize < least)
            throw new InvalidInputException("vocabulary size", vocabularySize.ToString(), $"too small: 256 bytes and {specialTokens.Count} special tokens need {least}");
        foreach ((int id, string text) in specialTokens)
        {
            if (id < 0 || id >= vocabularySize)
                throw new InvalidInputException("special token", text, $"id {id} is outside the vocabulary of {vocabularySize}");
        }

        foreach (string? role in new[] { bosToken, eosToken })
        {
            if (role is not null && !specialTokens.Values.Contains(role))
                throw new InvalidInputException("special token", role, "begins or ends texts but has no id");
        }
    }
}
