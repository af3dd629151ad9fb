using System.Diagnostics;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Tokenization;

public sealed class ByteLevelTokenizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("skiff-filler-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(257)]
    [InlineData(258)]
    [InlineData(284)]
    [InlineData(512)]
    [InlineData(32_000)]
    public void EveryIdIsUniqueDecodableAndReachable(int size)
    {
        Tokenizer tokenizer = ByteLevelTokenizer.Create(size);
        Assert.Equal(size, tokenizer.VocabularySize);
        string[] tokens = BpeTrainerTests.Tokens(tokenizer);
        Assert.Equal(size, tokens.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(("<|endoftext|>", 0, 0), (tokens[0], tokenizer.BosId, tokenizer.EosId));
        Assert.DoesNotContain("", tokens);
        for (int id = 1; id < size; id++)
        {
            Assert.Equal(tokens[id].Length, tokenizer.BytesOf(id).Length);
            if (id > 256)
                Assert.Equal([id], tokenizer.Encode(tokenizer.Decode([id])));
        }
    }

    [Fact]
    public void TextComesBackFromMemoryAndFromItsFiles()
    {
        Tokenizer tokenizer = ByteLevelTokenizer.Create(2000);
        tokenizer.Save(_folder);
        Tokenizer read = Tokenizer.Load(_folder);
        for (int seed = 0; seed < 200; seed++)
        {
            string text = BpeTrainerPropertyTests.RandomText(new Random(seed), 100) + " hello world";
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
            Assert.Equal(tokenizer.Encode(text), read.Encode(text));
        }
    }

    [Fact]
    public void ALargeOneIsCheap()
    {
        Stopwatch watch = Stopwatch.StartNew();
        Tokenizer tokenizer = ByteLevelTokenizer.Create(256_000);
        tokenizer.Save(_folder);
        Assert.Equal(256_000, Tokenizer.Load(_folder).VocabularySize);
        Assert.True(watch.ElapsedMilliseconds < 10_000, $"{watch.ElapsedMilliseconds} ms");
        Assert.Equal(" zzz", tokenizer.Decode([257 + 26 + 676 + 17_576 - 1]));
    }

    [Fact]
    public void SpecialTokensStandWhereTheModelExpectsThem()
    {
        Tokenizer tokenizer = ByteLevelTokenizer.Create(1000, new Dictionary<int, string> { [999] = "<eos>", [1] = "<bos>", [300] = "<pad>" }, "<bos>", "<eos>");
        string[] tokens = BpeTrainerTests.Tokens(tokenizer);
        Assert.Equal(["!", "<bos>", "\""], tokens[..3]);
        Assert.Equal(("<pad>", "<eos>"), (tokens[300], tokens[999]));
        Assert.Equal((1, 999), (tokenizer.BosId, tokenizer.EosId));
        Assert.Equal([1, 300, 999], Enumerable.Range(0, 1000).Where(tokenizer.IsSpecial));
        Assert.Equal(1000, tokens.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(256, ByteLevelTokenizer.Create(256, new Dictionary<int, string>()).VocabularySize);
    }

    [Fact]
    public void WhatCannotBeIsRefused()
    {
        Assert.Contains("need 257", Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(256)).Problem, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(-1));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [300] = "<eos>" }));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [0] = "a" }));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, new Dictionary<int, string> { [0] = "Ġa" }));
        Assert.Throws<InvalidInputException>(() => ByteLevelTokenizer.Create(300, eosToken: "<eos>"));
    }
}
