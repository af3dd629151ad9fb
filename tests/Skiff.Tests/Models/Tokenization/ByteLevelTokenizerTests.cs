using System.Diagnostics;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Tokenization;

public sealed class ByteLevelTokenizerTests
{
    [Theory]
    [InlineData(257)]
    [InlineData(258)]
    [InlineData(284)]
    [InlineData(512)]
    [InlineData(32_000)]
    [InlineData(256_000)]
    public void EverySizeIsFilledWithUniqueTokensThatTheirMergesMake(int size)
    {
        ByteLevelVocabulary vocabulary = ByteLevelTokenizer.Create(size);
        Assert.Equal(size, vocabulary.Tokens.Count);
        Assert.Equal(size, vocabulary.Tokens.Distinct(StringComparer.Ordinal).Count());
        Assert.DoesNotContain("", vocabulary.Tokens);
        Assert.Equal(size - 257, vocabulary.Merges.Count);
        Assert.Equal("<|endoftext|>", vocabulary.Tokens[0]);
        for (int i = 0; i < vocabulary.Merges.Count; i++)
        {
            (int first, int second) = vocabulary.Merges[i];
            Assert.Equal(vocabulary.Tokens[257 + i], vocabulary.Tokens[first] + vocabulary.Tokens[second]);
            Assert.True(first < 257 + i);
        }
    }

    [Fact]
    public void ALargeOneIsCheap()
    {
        Stopwatch watch = Stopwatch.StartNew();
        using MemoryStream json = new();
        ByteLevelTokenizer.Create(256_000).WriteTokenizer(json);
        Assert.True(watch.ElapsedMilliseconds < 5000, $"{watch.ElapsedMilliseconds} ms");
        using JsonDocument parsed = JsonDocument.Parse(json.ToArray());
        Assert.Equal(256_000, parsed.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().Count());
    }

    [Fact]
    public void SpecialTokensStandWhereTheModelExpectsThem()
    {
        ByteLevelVocabulary vocabulary = ByteLevelTokenizer.Create(1000, new Dictionary<int, string> { [999] = "<eos>", [1] = "<bos>", [300] = "<pad>" });
        Assert.Equal(["!", "<bos>", "\""], vocabulary.Tokens.Take(3));
        Assert.Equal(("<pad>", "<eos>"), (vocabulary.Tokens[300], vocabulary.Tokens[999]));
        Assert.Equal([1, 300, 999], vocabulary.SpecialIds);
        Assert.Equal(1000, vocabulary.Tokens.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(256, ByteLevelTokenizer.Create(256, new Dictionary<int, string>()).Tokens.Count);
    }

    [Fact]
    public void WhatCannotBeIsRefused()
    {
        Assert.Contains("need 257", Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(256)).Problem, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(-1));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [300] = "<eos>" }));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [0] = "a" }));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [0] = "Ġa" }));
    }
}
