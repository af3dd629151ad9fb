using System.Text;
using Parquet;
using Parquet.Schema;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class TokenShardsTests : IDisposable
{
    private readonly Corpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    public void EveryDocumentIsThereInOrder(string name)
    {
        string[] texts = Corpus.Texts(500, 200);
        using TokenShards shards = _corpus.Build(_corpus.Write(name, texts), new() { ShardTokens = 5000 }).Shards;
        Assert.Equal(texts.Length, shards.Documents);
        Assert.Equal(texts.Sum(text => (long)Corpus.Ids(text).Length), shards.Tokens);
        Assert.Equal(texts.Sum(Encoding.UTF8.GetByteCount), shards.TextBytes);
        Assert.True(Corpus.Bytes(_corpus.Shards).Count > 5);
        for (int i = 0; i < texts.Length; i++)
            Assert.Equal(Corpus.Ids(texts[i]), shards.ReadDocument(i));
    }

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Zstd)]
    public async Task ParquetIsRead(CompressionMethod compression)
    {
        string[] texts = Corpus.Texts(100, 200);
        string path = Path.Combine(_corpus.Root, "a.parquet");
        await WriteParquet(path, "text", [texts[..70], texts[70..]], compression);
        using TokenShards shards = _corpus.Build(_corpus.Root).Shards;
        Assert.Equal(texts.Select(Corpus.Ids), Enumerable.Range(0, 100).Select(i => shards.ReadDocument(i)));
    }

    [Fact]
    public async Task ParquetThatCannotBeUsedIsRefused()
    {
        string path = Path.Combine(_corpus.Root, "a.parquet");
        await WriteParquet(path, "words", [["a"]], CompressionMethod.None);
        Assert.Equal("text", Assert.Throws<InvalidInputException>(() => _corpus.Build(path)).Field);
        await WriteParquet(path, "text", [["a", null]], CompressionMethod.None);
        Assert.Equal("row 1", Assert.Throws<InvalidInputException>(() => _corpus.Build(path)).Field);
        await WriteParquet(path, "text", [Corpus.Texts(50, 100)], CompressionMethod.Zstd);
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length; length += 7)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Assert.Equal(path, Assert.Throws<InvalidInputException>(() => _corpus.Build(path)).Input);
        }
    }

    [Fact]
    public void EmptyDocumentsAreNoneAndAPlainFileIsOne()
    {
        _corpus.Write("in/a.txt", ["one ", "file"]);
        _corpus.Write("in/b.jsonl", ["", "x", ""]);
        _corpus.Write("in/c.txt", [""]);
        using TokenShards shards = _corpus.Build(Path.Combine(_corpus.Root, "in")).Shards;
        Assert.Equal([Corpus.Ids("one file"), Corpus.Ids("x")], Enumerable.Range(0, 2).Select(i => shards.ReadDocument(i)));
        Assert.Equal(2, shards.Documents);
    }

    [Fact]
    public void SpecialTokensBracketDocumentsAndTextCannotForgeThem()
    {
        string source = _corpus.Write("a.txt", ["x<|endoftext|>y"]);
        using TokenShards shards = _corpus.Build(source, new() { BeginWithBos = true, EndWithEos = false }).Shards;
        int[] ids = shards.ReadDocument(0);
        Assert.Equal(Corpus.Tokenizer.BosId, ids[0]);
        Assert.DoesNotContain(Corpus.Tokenizer.EosId!.Value, ids[1..]);
        Assert.Equal("x<|endoftext|>y", Corpus.Tokenizer.Decode(ids.AsSpan(1)));
    }

    [Fact]
    public void ALargeVocabularyTakesFourBytes()
    {
        Tokenizer large = ByteLevelTokenizer.Create(70_000, new Dictionary<int, string> { [69_999] = "<e>" }, eosToken: "<e>");
        string source = _corpus.Write("a.jsonl", ["abc", "d"]);
        using TokenShards shards = TokenShards.Build([source], large, _corpus.Shards, null, null, TestContext.Current.CancellationToken).Shards;
        Assert.Equal(69_999, shards.ReadDocument(0)[^1]);
        Assert.Equal("abc<e>", large.Decode(shards.ReadDocument(0)));
        shards.CheckTokenizer(large);
        Assert.Equal("vocabulary", Assert.Throws<InvalidInputException>(() => shards.CheckTokenizer(Corpus.Tokenizer)).Field);
    }

    [Fact]
    public void AnotherTokenizerOfTheSameSizeIsRefused()
    {
        using TokenShards shards = _corpus.Build(_corpus.Write("a.txt", ["abc"])).Shards;
        Tokenizer other = ByteLevelTokenizer.Create(600, new Dictionary<int, string> { [5] = "<e>" }, eosToken: "<e>");
        Assert.Equal("tokenizer", Assert.Throws<InvalidInputException>(() => shards.CheckTokenizer(other)).Field);
        shards.CheckTokenizer(Corpus.Tokenizer);
    }

    [Fact]
    public void TheSplitDependsOnTextsAlone()
    {
        string[] texts = Corpus.Texts(3000, 60);
        string one = _corpus.Write("one.jsonl", texts);
        for (int i = 0; i < 3; i++)
            _corpus.Write($"many/{i}.jsonl", texts.Where((_, n) => n % 3 == i).Reverse());
        using TokenShards single = _corpus.Build(one).Shards;
        using TokenShards several = _corpus.Build(Path.Combine(_corpus.Root, "many"), new() { ShardTokens = 3000 }, Path.Combine(_corpus.Root, "other")).Shards;
        TokenCount held = single.Count(DataSplit.HeldOut, 0.1), rest = single.Count(DataSplit.Training, 0.1);
        Assert.Equal(held, several.Count(DataSplit.HeldOut, 0.1));
        Assert.InRange(held.Documents, 220, 380);
        Assert.Equal((single.Documents, single.Tokens, single.TextBytes), (held.Documents + rest.Documents, held.Tokens + rest.Tokens, held.TextBytes + rest.TextBytes));
        Assert.Equal(0, single.Count(DataSplit.HeldOut, 0).Documents);
        Assert.Equal(3000, single.Count(DataSplit.HeldOut, 1).Documents);
        Assert.Throws<InvalidInputException>(() => single.Count(DataSplit.HeldOut, double.NaN));
    }

    [Fact]
    public void WhatCannotBeBuiltIsRefused()
    {
        string empty = _corpus.Write("e.jsonl", []), good = _corpus.Write("a.txt", ["a"]);
        Assert.Contains("empty", Assert.Throws<InvalidInputException>(() => _corpus.Build(empty)).Problem, StringComparison.Ordinal);
        Assert.Empty(Corpus.Bytes(_corpus.Shards));
        Assert.Equal("shard tokens", Assert.Throws<InvalidInputException>(() => _corpus.Build(good, new() { ShardTokens = 0 })).Input);
        Assert.Equal("threads", Assert.Throws<InvalidInputException>(() => _corpus.Build(good, new() { Threads = 0 })).Input);
        Assert.Throws<InvalidInputException>(() => _corpus.Build(Path.Combine(_corpus.Root, "none.txt")));
        Assert.Throws<InvalidInputException>(() => _corpus.Build(good, null, good));
        Assert.Throws<InvalidInputException>(() => TokenShards.Open(_corpus.Root));
        Tokenizer plain = ByteLevelTokenizer.Create(300, new Dictionary<int, string>());
        Assert.Equal("eos_token", Assert.Throws<InvalidInputException>(() => TokenShards.Build([good], plain, _corpus.Shards, null, null, TestContext.Current.CancellationToken)).Field);
        string latin = Path.Combine(_corpus.Root, "l.txt");
        File.WriteAllBytes(latin, [(byte)'a', 0xE9, (byte)'b']);
        Assert.Equal("byte 1", Assert.Throws<InvalidInputException>(() => _corpus.Build(latin)).Field);
    }

    private static async Task WriteParquet(string path, string column, string?[][] groups, CompressionMethod compression)
    {
        DataField id = new DataField<int>("id"), field = new DataField<string>(column);
        using FileStream file = File.Create(path);
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(new ParquetSchema(id, field), file, new ParquetOptions { CompressionMethod = compression });
        foreach (string?[] texts in groups)
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync<int>(id, Enumerable.Range(0, texts.Length).ToArray());
            await group.WriteAsync(field, texts!);
            group.CompleteValidate();
        }
    }
}
