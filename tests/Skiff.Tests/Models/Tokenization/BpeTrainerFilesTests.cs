using System.IO.Compression;
using System.Text;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models.Tokenization;

public sealed class BpeTrainerFilesTests : IDisposable
{
    private static readonly BpeTrainingOptions Options = new() { VocabularySize = 300, MinFrequency = 1 };
    private readonly string _folder = Directory.CreateTempSubdirectory("skiff-bpe-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void EveryKindOfFileGivesTheSame()
    {
        const string text = "Ein Fluß, ein Boot 🙂\nund \"Zeilen\"\tdazwischen. ";
        string line = "{\"id\": 1, \"more\": {\"text\": \"no\"}, \"text\": \"Ein Flu\\u00df, ein Boot \\ud83d\\ude42\\nund \\\"Zeilen\\\"\\tdazwischen. \", \"z\": [1]}";
        List<BpeTrainingResult> results =
        [
            Train(Write("a.txt", text)),
            Train(Write("a.txt.gz", text)),
            Train(Write("a.jsonl", line)),
            Train(Write("b.jsonl", "\uFEFF" + line + "\r\n \n")),
            Train(Write("a.jsonl.gz", line + "\n")),
            Train(Write("a.other", "\uFEFF" + text)),
        ];
        foreach (BpeTrainingResult result in results)
        {
            Assert.Equal(Encoding.UTF8.GetByteCount(text), result.Bytes);
            Assert.Equal(BpeTrainerTests.Tokens(results[0].Tokenizer), BpeTrainerTests.Tokens(result.Tokenizer));
        }
    }

    [Fact]
    public void ALongFileIsReadInBlocksWithoutBreakingItsCharacters()
    {
        // Three-byte characters: every block border falls inside one.
        string text = string.Concat(Enumerable.Repeat("漢字 かな\n", 60_000));
        BpeTrainingResult file = Train(Write("long.txt", "x" + text));
        Assert.Equal(1 + Encoding.UTF8.GetByteCount(text), file.Bytes);
        Assert.Equal(BpeTrainerTests.Tokens(BpeTrainerTests.Train(["x" + text], Options).Tokenizer), BpeTrainerTests.Tokens(file.Tokenizer));
    }

    [Fact]
    public void LinesLongerThanTheBufferAreRead()
    {
        string word = string.Concat(Enumerable.Repeat("word ", 100_000));
        BpeTrainingResult result = Train(Write("long.jsonl", $"{{\"text\": \"{word}\"}}\n{{\"text\": \"a\"}}\n"));
        Assert.Equal(word.Length + 1, result.Bytes);
        Assert.Equal(100_000 + 2, result.PreTokens);
    }

    [Theory]
    [InlineData("a.jsonl", "{\"text\": \"a\"}\n{\"words\": \"b\"}\n", "line 2", "has no \"text\"")]
    [InlineData("a.jsonl", "{\"text\": 5}\n", "line 1", "no string")]
    [InlineData("a.jsonl", "[\"text\"]\n", "line 1", "not a JSON object")]
    [InlineData("a.jsonl", "{\"text\": \"a\"} {}\n", "line 1", "no valid JSON")]
    [InlineData("a.jsonl", "{\"text\": \"a\"", "line 1", "no valid JSON")]
    [InlineData("a.jsonl", "{\"text\": \"\\ud800\"}", "line 1", "no valid JSON")]
    [InlineData("a.txt", "", "pre-tokens", "empty")]
    [InlineData("a.jsonl", "", "pre-tokens", "empty")]
    public void ABrokenFileIsRefusedByItsLine(string name, string content, string field, string problem)
    {
        InvalidInputException e = Assert.Throws<InvalidInputException>(() => Train(Write(name, content)));
        Assert.Equal(field, e.Field);
        Assert.Contains(problem, e.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNoUtf8OrNoGzipIsRefused()
    {
        string latin = Path.Combine(_folder, "latin.txt"), gzip = Path.Combine(_folder, "broken.txt.gz"), cut = Path.Combine(_folder, "cut.txt.gz");
        File.WriteAllBytes(latin, [.. Enumerable.Repeat((byte)'a', 100_000), 0xE9, (byte)'b']);
        Assert.Equal("byte 100000", Assert.Throws<InvalidInputException>(() => Train(latin)).Field);
        File.WriteAllText(gzip, "no gzip at all, but long enough");
        Assert.Equal("gzip", Assert.Throws<InvalidInputException>(() => Train(gzip)).Field);
        byte[] whole = File.ReadAllBytes(Write("whole.txt.gz", string.Concat(Enumerable.Range(0, 5000))));
        File.WriteAllBytes(cut, whole[..(whole.Length / 2)]);
        Assert.Equal("gzip", Assert.Throws<InvalidInputException>(() => Train(cut)).Field);
    }

    [Fact]
    public void FoldersAndPatternsAreExpandedInOrder()
    {
        foreach (string name in new[] { "b.txt", "a.txt", "c.jsonl", "deep/er/d.txt.gz", "deep/e.md", "deep/f.txt" })
            Write(name, "{\"text\": \"x\"}");
        Assert.Equal(["a.txt", "b.txt", "c.jsonl", "deep/er/d.txt.gz", "deep/f.txt"], Find(_folder));
        Assert.Equal(["a.txt", "b.txt"], Find(_folder + "/*.txt"));
        Assert.Equal(["a.txt", "b.txt", "deep/f.txt"], Find(_folder + "/**/*.txt"));
        Assert.Equal(["deep/er/d.txt.gz"], Find(_folder + "/d*/e?/*"));
        Assert.Equal(["b.txt", "a.txt"], Find(_folder + "/b.txt", _folder + "/?.txt"));
        Assert.Equal("not found", Assert.Throws<InvalidInputException>(() => Find(_folder + "/z.txt")).Problem);
        Assert.Equal("pattern", Assert.Throws<InvalidInputException>(() => Find(_folder + "/z*")).Field);
        Assert.Equal("folder", Assert.Throws<InvalidInputException>(() => Find(Directory.CreateDirectory(Path.Combine(_folder, "void")).FullName)).Field);
        Assert.Throws<InvalidInputException>(() => Train(Path.Combine(_folder, "z.txt")));
    }

    [Fact]
    public void MutatedLinesNeitherCrashNorHang()
    {
        byte[][] seeds =
        [
            "{\"text\": \"a b \\u00e9\"}\n{\"id\": 7, \"text\": \"\"}\n"u8.ToArray(),
            "{\"id\": {\"text\": [1, null, true]}, \"text\": \"🙂 漢字\"}\r\n\r\n{\"text\": \"x\"}"u8.ToArray(),
        ];
        Mutation.Check(seeds, FuzzTargets.All["jsonl"]);
    }

    [Fact]
    public void MutatedGzipNeitherCrashesNorHangs()
    {
        byte[] packed = File.ReadAllBytes(Write("seed.txt.gz", "word word word 漢字 !\n"));
        Mutation.Check([packed, [.. packed, .. packed]], FuzzTargets.All["text.gz"], Mutation.Inputs / 2);
    }

    private static BpeTrainingResult Train(string file) => BpeTrainer.Train([file], Options, null, TestContext.Current.CancellationToken);

    private IEnumerable<string> Find(params string[] names) => TextFiles.Find(names).Select(path => Path.GetRelativePath(_folder, path));

    private string Write(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using Stream file = File.Create(path);
        using Stream stream = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        stream.Write(Encoding.UTF8.GetBytes(content));
        return path;
    }
}
