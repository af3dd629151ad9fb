using System.Text.Json;

namespace Skiff.Tests.EndToEnd;

public sealed class GenerateTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    public void RawTextIsRunCsByteForByte(int number)
    {
        JsonElement[] cases = Stories260k.Generations();
        Assert.Equal(10, cases.Length);
        JsonElement wanted = cases[number];
        string text = wanted.GetProperty("text").GetString() + "\n";
        Assert.Equal(text, CommandLine.Output(Stories260k.RunC(wanted, Stories260k.Checkpoint)));
    }

    [Fact]
    public void TheSecondCheckpointFormatGivesTheSameText()
    {
        JsonElement wanted = Stories260k.Generations()[5];
        Assert.Equal(wanted.GetProperty("text").GetString() + "\n", CommandLine.Output(Stories260k.RunC(wanted, Stories260k.CheckpointV1)));
    }

    [Fact]
    public void TheStreamedTextIsTheRawTextWithFiguresBesideIt()
    {
        string[] args = ["--prompt", "Once upon a time", "--seed", "3", "--max-tokens", "60"];
        string raw = Generate([.. args, "--raw"]);
        (int code, string output, string error) = CommandLine.Run([.. Model("generate"), .. args]);
        Assert.Equal((0, raw.TrimEnd('\n')), (code, output.TrimEnd('\n')));
        Assert.StartsWith("skiff: 60 tokens, ", error);
        Assert.Contains("ended at length; seed 3", error);
        Assert.Equal(raw, Generate([.. args, "--raw"]));
    }

    [Fact]
    public void JsonTellsTheTokensAndTheirLogProbabilities()
    {
        using JsonDocument document = JsonDocument.Parse(Generate("--prompt", "One day", "--temperature", "0", "--max-tokens", "12", "--json"));
        JsonElement json = document.RootElement;
        Assert.Equal("length", json.GetProperty("finish").GetString());
        Assert.Equal(12, json.GetProperty("tokens").GetInt32());
        int[] ids = [.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        double[] logProbabilities = [.. json.GetProperty("logprobs").EnumerateArray().Select(p => p.GetDouble())];
        Assert.Equal(12, ids.Length);

        // Scoring prompt and continuation together must find the same probabilities.
        using TemporaryFile file = new(JsonSerializer.Serialize(new { text = "One day" }));
        int[] prompt = [.. Score(file.Path).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        Assert.Equal(prompt.Length, json.GetProperty("prompt_tokens").GetInt32());
        using TemporaryFile whole = new(JsonSerializer.Serialize(new { ids = (int[])[.. prompt, .. ids] }));
        double?[] scored = [.. Score(whole.Path).GetProperty("logprobs").EnumerateArray().Select(p => p.ValueKind == JsonValueKind.Null ? (double?)null : p.GetDouble())];
        Assert.Null(scored[0]);
        for (int i = 0; i < ids.Length; i++)
            Assert.Equal(logProbabilities[i], scored[prompt.Length + i]!.Value, 1e-5);
    }

    [Fact]
    public void StopStringsEndTheTextBeforeThem()
    {
        string whole = Generate("--temperature", "0", "--max-tokens", "100", "--raw");
        // Every stretch of three characters crosses token borders somewhere.
        for (int start = 20; start < 60; start += 7)
        {
            string stop = whole.Substring(start, 3);
            string text = Generate("--temperature", "0", "--max-tokens", "100", "--raw", "--stop", stop, "--stop", "no such text");
            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)] + "\n", text);
        }

        Assert.Contains("\"finish\":\"stop_string\"", Generate("--temperature", "0", "--json", "--stop", whole[10..15]));
    }

    [Fact]
    public void APromptFileIsTakenByteForByte()
    {
        using TemporaryFile file = new("Lily had a red ball.\n", ".txt");
        Assert.StartsWith("Lily had a red ball.\n", Generate("--prompt-file", file.Path, "--max-tokens", "3", "--raw"));
    }

    [Fact]
    public void WhatDoesNotFitTheContextIsAnErrorThatNamesTheLimit()
    {
        (string[] Args, string Problem)[] wrong =
        [
            (["--prompt", string.Join(' ', Enumerable.Repeat("once upon a time", 200))], "limit of 512 positions"),
            (["--prompt", "Once", "--max-tokens", "600"], "limit of 512 positions"),
            (["--max-tokens", "0"], "max-tokens"),
            (["--sampler", "llama2c", "--steps", "513"], "limit of 512 positions"),
            (["--sampler", "llama2c", "--steps", "2", "--prompt", "Once upon a time"], "steps"),
            (["--sampler", "llama2c", "--seed", "0"], "seed"),
            (["--top-p", "1.5"], "top-p"),
            (["--stop", ""], "stop"),
            (["--prompt-file", "/no/such/file"], "/no/such/file"),
        ];
        foreach ((string[] args, string problem) in wrong)
        {
            (int code, string output, string error) = CommandLine.Run([.. Model("generate"), .. args]);
            Assert.Equal((1, ""), (code, output));
            Assert.Contains(problem, error);
            Assert.Single(error.TrimEnd('\n').Split('\n'));
        }
    }

    [Fact]
    public void ACancelledGenerationEndsWith130()
    {
        (int code, _, string error) = CommandLine.RunInterrupted(Model("generate"));
        Assert.Equal((130, "skiff: stopped\n"), (code, error));
    }

    private static string[] Model(string verb) => [verb, Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer];

    private static string Generate(params string[] args) => CommandLine.Output([.. Model("generate"), .. args]);

    private static JsonElement Score(string path) =>
        JsonSerializer.Deserialize<JsonElement>(CommandLine.Output([.. Model("score"), "--jsonl", path, "--json"]));
}
