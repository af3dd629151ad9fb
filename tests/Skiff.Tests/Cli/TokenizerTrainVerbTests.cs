using System.Text.Json;
using Skiff.Cli;

namespace Skiff.Tests.Cli;

public sealed class TokenizerTrainVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("skiff-train-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ItWritesTheFilesAndASummary()
    {
        string text = Text("boat boat boat on the river, the boat");
        string folder = Path.Combine(_folder, "deep", "tokenizer");
        (int code, string output, string error) = Run("tokenizer", "train", text, "--vocab-size", "262", folder, "--json");
        Assert.Equal((0, ""), (code, error));
        using JsonDocument summary = JsonDocument.Parse(output);
        JsonElement root = summary.RootElement;
        Assert.Equal((262, 5, 37), (root.GetProperty("entries").GetInt32(), root.GetProperty("merges").GetInt32(), root.GetProperty("bytes").GetInt32()));
        Assert.Equal(9, root.GetProperty("pre_tokens").GetInt32());
        Assert.True(root.GetProperty("bytes_per_token").GetDouble() > 1);
        Assert.True(root.GetProperty("seconds").GetDouble() >= 0);

        Assert.Superset(new HashSet<string?>(["tokenizer.json", "tokenizer_config.json"]), Directory.GetFiles(folder).Select(Path.GetFileName).ToHashSet());
        Assert.Equal(0, Skiff.Models.Tokenizer.Load(folder).EosId);
        using JsonDocument tokenizer = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        Assert.Equal("<|endoftext|>", tokenizer.RootElement.GetProperty("added_tokens")[0].GetProperty("content").GetString());
        JsonElement preTokenizer = tokenizer.RootElement.GetProperty("pre_tokenizer");
        Assert.Equal("ByteLevel", preTokenizer.GetProperty("type").GetString());
        Assert.False(preTokenizer.GetProperty("add_prefix_space").GetBoolean());
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer_config.json")));
        Assert.Equal("<|endoftext|>", config.RootElement.GetProperty("eos_token").GetString());
    }

    [Fact]
    public void SeveralFilesSpecialTokensAndPatternAreTaken()
    {
        (int code, string output, _) = Run(
            "tokenizer", "train", Text("12345 ab", "a.txt"), Text("{\"text\": \"12345\"}", "b.jsonl"), Path.Combine(_folder, "out"),
            "--vocab-size", "259", "--pattern", "qwen2", "--special", "<a>", "--special", "<b>", "--min-frequency", "1", "--threads", "3");
        Assert.Equal(0, code);
        Assert.Contains("259 entries, 1 merges", output, StringComparison.Ordinal);
        string json = File.ReadAllText(Path.Combine(_folder, "out", "tokenizer.json"));
        Assert.Contains("\"<b>\": 1", json, StringComparison.Ordinal);
        Assert.Contains(@"\\p{N}|", json, StringComparison.Ordinal);
    }

    [Fact]
    public void AVocabularyThatTheTextCannotFillIsSaid()
    {
        (int code, _, string error) = Run("tokenizer", "train", Text("ab ab"), "--vocab-size", "500", Path.Combine(_folder, "out"));
        Assert.Equal(0, code);
        Assert.Contains("258 entries, not 500", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("too small: 256 bytes and 1 special tokens need 257", "a.txt", "--vocab-size", "256", "out")]
    [InlineData("a.txt: OUT: is a file", "--vocab-size", "300", "a.txt", "a.txt")]
    [InlineData("none.txt: file: not found", "none.txt", "--vocab-size", "300", "out")]
    [InlineData("pattern: gpt5: not known", "a.txt", "--vocab-size", "300", "--pattern", "gpt5", "out")]
    [InlineData("the corpus is empty", "empty.txt", "--vocab-size", "300", "out")]
    public void WhatCannotBeDoneIsOneLine(string problem, params string[] args)
    {
        Text("some text", "a.txt");
        Text("", "empty.txt");
        (int code, string output, string error) = Run(["tokenizer", "train", .. args.Select(arg => arg is "300" or "256" or "gpt5" || arg[0] == '-' ? arg : Path.Combine(_folder, arg))]);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(c => c == '\n'));
        Assert.False(Directory.Exists(Path.Combine(_folder, "out")));
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        StringWriter output = new(), error = new();
        int code = Program.Run(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    private string Text(string content, string name = "text.txt")
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }
}
