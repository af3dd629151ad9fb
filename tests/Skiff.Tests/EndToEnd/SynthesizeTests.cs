using System.Text.Json.Nodes;

namespace Skiff.Tests.EndToEnd;

public sealed class SynthesizeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TextsFollowFromTheirNumbersAlone()
    {
        string[] six = Write("a.jsonl", "--texts", "6", "--parallel", "1"), beside = Write("b.jsonl", "--texts", "6", "--parallel", "5");
        Assert.Equal(six, beside);
        Assert.Equal(6, six.Distinct().Count());
        Assert.All(six, text => Assert.NotEmpty(text));

        // Goes on behind what is whole.
        string part = _folder.File("c.jsonl.part");
        File.WriteAllText(part, string.Concat(File.ReadLines(_folder.File("a.jsonl")).Take(2).Select(line => line + "\n")) + "{\"text\": \"cut");
        Assert.Equal(six, Write("c.jsonl", "--texts", "6"));
        Assert.False(File.Exists(part));
        Assert.NotEqual(six[0], Write("d.jsonl", "--texts", "1", "--seed", "9")[0]);
    }

    [Fact]
    public void BeginningsAreTakenInTurns()
    {
        File.WriteAllText(_folder.File("prompts.txt"), "Tom had a dog\n\nLily saw a cat\n");
        string[] texts = Write("a.jsonl", "--texts", "3", "--prompts", _folder.File("prompts.txt"));
        Assert.Equal(["Tom", "Lily", "Tom"], texts.Select(text => text.Split(' ')[0]));
        Assert.All(texts, text => Assert.True(text.Length > 20, text));
    }

    [Theory]
    [InlineData("--texts: must be at least 1", "--texts", "0")]
    [InlineData("temperature: must be 0 or more", "--temperature", "-1")]
    [InlineData("--prompts: cannot be read", "--prompts", "nowhere.txt")]
    public void WhatCannotBeHonouredIsRefused(string problem, params string[] more)
    {
        (int code, _, string error) = CommandLine.Run(["synthesize", Stories260k.Checkpoint, _folder.File("a.jsonl"), .. more]);
        Assert.NotEqual(0, code);
        Assert.Contains(problem, error);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    private string[] Write(string name, params string[] more)
    {
        string model = _folder.File("base");
        if (!Directory.Exists(model))
            CommandLine.Output("convert", Stories260k.Checkpoint, model, "--tokenizer", Stories260k.Tokenizer);
        CommandLine.Output(["synthesize", model, _folder.File(name), "--max-tokens", "30", .. more]);
        return [.. File.ReadLines(_folder.File(name)).Select(line => JsonNode.Parse(line)!["text"]!.ToString())];
    }
}
