using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.EndToEnd;

/// <summary>--isa, --threads and --memory: each needs a process of its own, as they hold for all of it.</summary>
public sealed class ComputeFlagsTests
{
    private static string Model => $"'{Stories260k.Checkpoint}' --tokenizer '{Stories260k.Tokenizer}'";

    [Theory]
    [InlineData("portable")]
    [InlineData("avx2")]
    [InlineData("avx512")]
    public async Task EachInstructionSetGivesTheSameGreedyText(string isa)
    {
        if (!IsaChoice.Supports((Isa)IsaChoice.Names.ToList().IndexOf(isa)))
            Assert.Skip($"this processor has no {isa}");
        JsonElement wanted = Stories260k.Generations().First(g => g.GetProperty("temperature").GetDouble() == 0);
        using TemporaryFile output = new("");
        string[] args = Stories260k.RunC(wanted, Stories260k.Checkpoint);
        string line = string.Join(' ', args.Select(a => $"'{a.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        (int code, string error) = await SkiffProcess.Bash($"dotnet '{SkiffProcess.Assembly}' {line} --isa {isa} --threads 1 > '{output.Path}'", ("SKIFF_ISA", "portable"));
        Assert.True(code == 0, error);
        Assert.Equal(wanted.GetProperty("text").GetString() + "\n", await File.ReadAllTextAsync(output.Path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task BenchNamesWhatItUsedWhateverTheEnvironmentSays()
    {
        using TemporaryFile output = new("");
        (int code, string error) = await SkiffProcess.Bash(
            $"dotnet '{SkiffProcess.Assembly}' bench '{Stories260k.Checkpoint}' -p 4 -n 0 -r 1 -t 1 -o json --isa portable > '{output.Path}'", ("SKIFF_ISA", "sse9"));
        Assert.True(code == 0, error);
        using JsonDocument json = JsonDocument.Parse(await File.ReadAllTextAsync(output.Path, TestContext.Current.CancellationToken));
        Assert.Equal("portable", json.RootElement[0].GetProperty("isa").GetString());
    }

    [Fact]
    public void WhatCannotBeHonouredIsOneLine()
    {
        (string[] Flags, string Problem)[] wrong =
        [
            (["--isa", "sse9"], "--isa: value: 'sse9' is none of portable, avx2, avx512"),
            (["--threads", "0"], "--threads: value: '0' is no number of threads"),
            (["--threads", "1025"], "--threads: value: '1025'"),
            (["--threads", "two"], "--threads takes a whole number"),
            (["--memory", "0"], "--memory takes a size"),
            (["--memory", "4.5G"], "--memory takes a size"),
        ];
        foreach ((string[] flags, string problem) in wrong)
        {
            (int code, string output, string error) = CommandLine.Run(["generate", Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer, .. flags]);
            Assert.NotEqual(0, code);
            Assert.Equal("", output);
            Assert.Contains(problem, error);
            Assert.Equal(1, error.Count(c => c == '\n'));
        }
    }

    [Fact]
    public async Task AModelLargerThanTheBudgetIsRefusedByNeedAndBudget()
    {
        // 135M values in single precision would take half a gigabyte: none of it may be taken.
        (int code, string error) = await SkiffProcess.Run(["bench", "zoo:smollm2-135m", "-p", "4", "-n", "0", "-r", "1", "--memory", "100M"]);
        Assert.Equal(1, code);
        Assert.Matches(@"^skiff: zoo:smollm2-135m: memory: its weights take 513 MiB, and --memory allows 100 MiB; .*\n$", error);
        (code, error) = await SkiffProcess.Run(["generate", "zoo:smollm2-135m", "--prompt", "a", "--max-tokens", "2", "--memory", "50M"]);
        Assert.Equal(1, code);
        Assert.Matches(@"^skiff: zoo:smollm2-135m: memory: its weights take 513 MiB, and --memory allows 50 MiB; [^\n]*\n$", error);
        (code, error) = await SkiffProcess.Bash($"dotnet '{SkiffProcess.Assembly}' generate {Model} --max-tokens 2 --memory 1K > /dev/null");
        Assert.Equal(1, code);
        Assert.Matches(@"^skiff: [^\n]*--memory allows 0 MiB[^\n]*\n$", error);
        (code, error) = await SkiffProcess.Bash($"dotnet '{SkiffProcess.Assembly}' generate {Model} --max-tokens 2 --memory 2M > /dev/null");
        Assert.True(code == 0, error);
    }

    [Fact]
    public async Task TwoProcessesAtOnceGiveTheSameTokensAndBothFinish()
    {
        JsonElement wanted = Stories260k.Generations().First(g => g.GetProperty("temperature").GetDouble() == 0);
        using TemporaryFile first = new(""), second = new("");
        string line = string.Join(' ', Stories260k.RunC(wanted, Stories260k.Checkpoint).Select(a => $"'{a.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        (int code, string error) = await SkiffProcess.Bash(
            $"dotnet '{SkiffProcess.Assembly}' {line} > '{first.Path}' & dotnet '{SkiffProcess.Assembly}' {line} > '{second.Path}' && wait $!");
        Assert.True(code == 0, error);
        string text = wanted.GetProperty("text").GetString() + "\n";
        Assert.Equal((text, text), (await File.ReadAllTextAsync(first.Path, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(second.Path, TestContext.Current.CancellationToken)));
    }

    // Matrices large enough that two threads share them: four threads then, on however many processors there are.
    [Fact]
    public async Task TwoProcessesOfTwoThreadsGiveTheTokensOfOneAlone()
    {
        using TemporaryFolder folder = new();
        ModelConfig config = ModelConfig.Parse((JsonObject)JsonNode.Parse("""
            {"model_type": "llama", "vocab_size": 1000, "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4,
             "num_key_value_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": true}
            """)!, "shared");
        string file = folder.File("shared.gguf");
        ModelWriter.Write(RandomModel.Create("shared", config, seed: 1, TensorType.F32), file, TensorType.Q8_0);
        string command = $"dotnet '{SkiffProcess.Assembly}' generate '{file}' --prompt aaaa --max-tokens 100 --temperature 0.9 --seed 7 --threads 2 --json";
        (int code, string error) = await SkiffProcess.Bash(
            $"{command} > '{folder.File("alone")}' && ({command} > '{folder.File("first")}' & {command} > '{folder.File("second")}'; other=$?; wait $! && exit $other)");
        Assert.True(code == 0, error);
        int[][] ids = [.. new[] { "alone", "first", "second" }.Select(name => JsonNode.Parse(File.ReadAllText(folder.File(name)))!["ids"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray())];
        Assert.True(ids[0].Distinct().Count() > 10, "the tokens tell nothing");
        Assert.Equal(ids[0], ids[1]);
        Assert.Equal(ids[0], ids[2]);
    }
}
