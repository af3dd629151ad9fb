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
    /// <param name="specialTokens">Special tokens by id; without any, <see cref="EndOfText"/> has id 0.</param>
    /// <exception cref="InvalidInputException">The size is too small, or a special token or its id cannot be used.</exception>
    public static ByteLevelVocabulary Create(int vocabularySize, IReadOnlyDictionary<int, string>? specialTokens = null)
    {
        SortedDictionary<int, string> specials = specialTokens is null ? new() { [0] = EndOfText } : new(specialTokens.ToDictionary());
        ByteLevelVocabulary.CheckSpecialTokens([.. specials.Values]);
        if (vocabularySize < 256 + specials.Count)
            throw new InvalidInputException("vocabulary size", vocabularySize.ToString(), $"too small: 256 bytes and {specials.Count} special tokens need {256 + specials.Count}");
        foreach ((int id, string text) in specials)
        {
            if (id < 0 || id >= vocabularySize)
                throw new InvalidInputException("special token", text, $"id {id} is outside the vocabulary of {vocabularySize}");
        }

        string[] tokens = new string[vocabularySize];
        HashSet<string> reserved = [.. specials.Values];
        foreach ((int id, string text) in specials)
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
        foreach (int value in Enumerable.Range(0, 256).OrderBy(value => ByteAlphabet.Chars[value]))
            byteIds[value] = Place(ByteAlphabet.Chars[value].ToString());

        // Words in order of length: each stem, from the blank on, takes each letter in turn.
        int words = vocabularySize - 256 - specials.Count;
        List<int> stems = new(words / 26 + 1) { byteIds[' '] };
        List<(int First, int Second)> merges = new(words);
        for (int next = 0; merges.Count < words; next++)
        {
            int stem = stems[next];
            for (char letter = 'a'; letter <= 'z' && merges.Count < words; letter++)
            {
                string token = tokens[stem] + letter;
                if (reserved.Contains(token))
                    throw new InvalidInputException("special token", token, "is the spelling of a filler token: name it otherwise");
                int id = Place(token);
                merges.Add((stem, byteIds[letter]));
                stems.Add(id);
            }
        }

        return new ByteLevelVocabulary(tokens, merges, [.. specials.Keys], "gpt2");
    }
}
