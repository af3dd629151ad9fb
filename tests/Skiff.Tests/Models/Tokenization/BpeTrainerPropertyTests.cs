using System.Text;
using System.Text.RegularExpressions;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

public sealed class BpeTrainerPropertyTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void ChunksAndThreadsChangeNothing(string pattern)
    {
        for (int seed = 0; seed < 60; seed++)
        {
            Random random = new(seed);
            string[] documents = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => RandomText(random, random.Next(400)))];
            BpeTrainingOptions options = new() { VocabularySize = 290, Pattern = pattern, SpecialTokens = ["<e>", "a b", ".\n"], Threads = 1, MinFrequency = 1 };
            BpeTrainingResult whole = BpeTrainerTests.Train(documents.Append("x"), options, chunkSize: 1 << 20);
            foreach ((int size, int threads) in new[] { (1, 1), (7, 1), (7, 3), (64, 2) })
            {
                BpeTrainingResult cut = BpeTrainerTests.Train(documents.Append("x"), options with { Threads = threads }, size);
                Assert.Equal(Describe(whole), Describe(cut));
            }
        }
    }

    [Theory]
    [InlineData("gpt2", SplitPatterns.Gpt2)]
    [InlineData("llama3", SplitPatterns.Llama3)]
    [InlineData("qwen2", SplitPatterns.Qwen2)]
    public void ItAgreesWithCountingEverythingAnewForEveryMerge(string pattern, string expression)
    {
        Regex regex = new(expression, RegexOptions.CultureInvariant);
        for (int seed = 0; seed < 100; seed++)
        {
            Random random = new(seed);
            // Few different letters make runs, overlaps and ties; many make the usual case.
            string text = (seed % 2 == 0 ? RandomText(random, 250) : string.Concat(Enumerable.Range(0, 150).Select(_ => "aaab "[random.Next(5)]))) + "x";
            // The platform's expressions see two characters outside the basic plane where the pattern means one.
            text = text.Replace("🙂", "☺", StringComparison.Ordinal);
            BpeTrainingResult fast = BpeTrainerTests.Train([text], new() { VocabularySize = 320, SpecialTokens = [], MinFrequency = 1, Pattern = pattern });
            (string Merges, string Tokens, int Count) slow = TrainSlowly(regex, text, 320);
            Assert.Equal(slow.Merges, string.Join('\n', BpeTrainerTests.Spelled(fast.Tokenizer)));
            Assert.Equal(slow.Tokens, string.Join('\n', BpeTrainerTests.Tokens(fast.Tokenizer)));
            Assert.Equal(slow.Count, fast.Tokens);
        }
    }

    private static string Describe(BpeTrainingResult result) => string.Join(
        '\n',
        [$"{result.Bytes} {result.PreTokens} {result.DistinctPreTokens} {result.Tokens}", .. BpeTrainerTests.Tokens(result.Tokenizer), .. BpeTrainerTests.Spelled(result.Tokenizer)]);

    internal static string RandomText(Random random, int length)
    {
        string[] pieces = ["a", "b", "he", " ", "  ", "\n", "\r\n", "\t", ".", "!\n", "'s", "'ll", "12", "3", "é", "漢字", "。", "\u3000", "🙂", "a b", "<e>", "<", ".\n", "\u00a0"];
        StringBuilder text = new();
        while (text.Length < length)
            text.Append(pieces[random.Next(pieces.Length)]);
        return text.ToString();
    }

    // The definition, word for word: count all pairs, join the best one everywhere, start again.
    private static (string Merges, string Tokens, int Count) TrainSlowly(Regex pattern, string text, int size)
    {
        List<List<byte[]>> words = [.. pattern.Matches(text).Select(match => Encoding.UTF8.GetBytes(match.Value).Select(value => new[] { value }).ToList())];
        List<string> merges = [], tokens = [];
        foreach (byte value in ByteLevelParts.ByteOrder)
            tokens.Add(ByteAlphabet.TextOf([value]));
        while (tokens.Count < size)
        {
            Dictionary<string, (int Count, byte[] First, byte[] Second)> pairs = [];
            foreach (List<byte[]> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    string key = $"{ByteAlphabet.TextOf(word[i])} {ByteAlphabet.TextOf(word[i + 1])}";
                    pairs[key] = (pairs.GetValueOrDefault(key).Count + 1, word[i], word[i + 1]);
                }
            }

            if (pairs.Count == 0)
                break;
            (int _, byte[] first, byte[] second) = pairs.Values.Aggregate((best, other) => IsBetter(other, best) ? other : best);
            string merge = $"{ByteAlphabet.TextOf(first)} {ByteAlphabet.TextOf(second)}";
            byte[] joined = [.. first, .. second];
            if (!merges.Contains(merge))
                merges.Add(merge);
            if (!tokens.Contains(ByteAlphabet.TextOf(joined)))
                tokens.Add(ByteAlphabet.TextOf(joined));
            foreach (List<byte[]> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (!word[i].AsSpan().SequenceEqual(first) || !word[i + 1].AsSpan().SequenceEqual(second))
                        continue;
                    word[i] = joined;
                    word.RemoveAt(i + 1);
                }
            }
        }

        return (string.Join('\n', merges), string.Join('\n', tokens), words.Sum(word => word.Count));
    }

    private static bool IsBetter((int Count, byte[] First, byte[] Second) one, (int Count, byte[] First, byte[] Second) other)
    {
        int order = one.Count.CompareTo(other.Count);
        if (order == 0)
            order = one.First.AsSpan().SequenceCompareTo(other.First);
        return (order != 0 ? order : one.Second.AsSpan().SequenceCompareTo(other.Second)) > 0;
    }
}
