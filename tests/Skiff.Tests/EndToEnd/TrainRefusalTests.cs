using System.Diagnostics;
using System.Text.Json;
using Skiff.Tests.Training;
using Skiff.Training;

namespace Skiff.Tests.EndToEnd;

public sealed class TrainRefusalTests : IDisposable
{
    private readonly TinyRun _runs = new();

    public void Dispose() => _runs.Dispose();

    [Theory]
    [InlineData("optimiser.name=muon", "tiny.yaml: optimiser: --set: is no key here; did you mean optimizer?")]
    [InlineData("batch_size=-4", "tiny.yaml: batch_size: --set: -4: must be at least 1")]
    [InlineData("held_out=0.99999", "tiny.yaml: data.a: all 60 documents are held out: lower held_out, or give more documents")]
    [InlineData("model.vocab_size=200", "tiny.yaml: model.vocab_size: 200 does not hold the tokenizer's 300 entries: leave vocab_size out, or name a larger one")]
    [InlineData("context_length=128", "tiny.yaml: context_length: 128 tokens are more than the model's context of 64")]
    [InlineData("micro_batch_size=3", "tiny.yaml: micro_batch_size: --set: 3 does not divide batch_size 4")]
    [InlineData("model.num_key_value_heads=3", "tiny.yaml: model.num_key_value_heads: ")]
    public void ARecipeThatCannotBeHonouredIsOneLineAndNothingIsLeft(string set, string problem) => AssertRefused(problem, set);

    [Fact]
    public void AnEmptyCorpusIsNamed()
    {
        string empty = Path.Combine(_runs.Folder, "empty.jsonl");
        File.WriteAllText(empty, "");
        AssertRefused($"{empty}: pre-tokens: the corpus is empty", $"data=[{{files: {empty}}}]");
        _runs.Train(_runs.Recipe("donor"));
        AssertRefused($"{empty}: text: the corpus is empty", $"data=[{{files: {empty}}}]", $"tokenizer={_runs.Run("donor/tokenizer")}");
        AssertRefused($"{empty}x: file: not found", $"data=[{{files: {empty}x}}]");
    }

    [Fact]
    public void AModelThatIsContinuedNeedsItsTokenizerItsContextAndItsModules()
    {
        _runs.Train(_runs.Recipe("donor"));
        string model = Path.Combine(_runs.Run("donor"), "model");
        string[] continued = ["model=null", $"init_from={model}", "tokenizer=null"];
        AssertRefused("tiny.yaml: lora.modules: this model has no 'attention'; it has down, gate, key, output, query, up, value", [.. continued, "lora={modules: [query, attention]}"]);
        AssertRefused("tiny.yaml: context_length: 128 tokens are more than the model's context of 64", [.. continued, "context_length=128"]);
        string larger = _runs.Run("larger");
        _runs.Train(_runs.Recipe("larger", "tokenizer.vocab_size=330"));
        AssertRefused("tiny.yaml: tokenizer: has 330 entries, the vocabulary of ", [.. continued, $"tokenizer={Path.Combine(larger, "tokenizer")}"]);
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
            File.Delete(Path.Combine(model, file));
        AssertRefused($"tiny.yaml: tokenizer: is missing, and {model} comes with none: name the file or folder of the tokenizer it was trained with", continued);
    }

    // The tokenizer that the refused recipe had trained is not the next one's.
    [Fact]
    public void ARecipeThatIsMendedBeginsAsIfNothingHadBeen()
    {
        AssertRefused("are held out", "held_out=0.99999");
        Directory.CreateDirectory(_runs.Output);
        AssertLastLine("are held out", ["--resume", "auto", "held_out=0.99999"]);
        CommandLine.Output(_runs.Arguments("tiny", "tokenizer.vocab_size=290"));
        Assert.Equal(290, Skiff.Models.Tokenizer.Load(Path.Combine(_runs.Output, "tokenizer")).VocabularySize);
        CommandLine.Output(_runs.Arguments("direct", "tokenizer.vocab_size=290"));
        _runs.AssertSame("direct", "tiny");
    }

    [Fact]
    public void ARunIsNeitherOverwrittenNorGoesOnAsAnother()
    {
        _runs.Train(_runs.Recipe("tiny"), stopBehind: 4);
        string before = Listing();
        AssertLastLine($"{_runs.Output}: run: a run is here already: --resume auto goes on with it", []);
        AssertLastLine($"{_runs.Output}: recipe.yaml: the run was begun with 'seed: 0', not 'seed: 5': set output to begin another run, or go on with this one changed by", ["--resume", "auto", "seed=5"]);
        AssertRefusal($"{_runs.Output}: --decay-at: there is no checkpoint of step 2; there are 3, 4", "train", "--branch", _runs.Output, "--decay-at", "2");
        AssertRefusal($"{_runs.Output}-none: run: no run is here", "train", "--resume", _runs.Output + "-none");
        Assert.Equal(before, Listing());
    }

    [Fact]
    public async Task ARunThatAnotherProcessHoldsIsLeftToIt()
    {
        using Process other = SkiffProcess.Start(_runs.Arguments("tiny", "steps=100000", "checkpoint.every=0", "validation.every=0", "samples.every=0"), out Task<string> error);
        try
        {
            for (int i = 0; i < 3000 && !other.HasExited && !File.Exists(Path.Combine(_runs.Output, MetricsReader.FileName)); i++)
                await Task.Delay(10, TestContext.Current.CancellationToken);
            Assert.False(other.HasExited, other.HasExited ? await error : "");
            AssertRefusal($"{_runs.Output}: run: cannot be written, or another process trains here: ", "train", "--resume", _runs.Output);
            Assert.False(other.HasExited);
        }
        finally
        {
            other.Kill();
            await other.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        // The lock goes with the process, however it ended.
        using Trainer trainer = Trainer.Resume(RunFolder.Open(_runs.Output).ReadRecipe(["steps=8"]), _runs.RecipePath, new TrainingEvents(), TestContext.Current.CancellationToken);
        Assert.Equal(0, trainer.Done);
    }

    [Fact]
    public void AModelThatNoMachineHoldsIsToldByADryRunAndRefusedBeforeMemoryIsTaken()
    {
        string[] huge = ["model.hidden_size=16384", "model.intermediate_size=65536", "model.num_hidden_layers=48", "model.num_attention_heads=128"];
        long before = Process.GetCurrentProcess().PrivateMemorySize64;
        JsonElement dry = JsonSerializer.Deserialize<JsonElement>(CommandLine.Output(_runs.Arguments("tiny", [.. huge, "--dry-run", "--json"])));
        Assert.InRange(dry.GetProperty("parameters").GetInt64(), 200_000_000_000, 210_000_000_000);
        // AdamW: the values, their gradients and two moments.
        Assert.InRange(dry.GetProperty("memory_bytes").GetInt64(), 16 * dry.GetProperty("parameters").GetInt64(), 17 * dry.GetProperty("parameters").GetInt64());
        AssertRefused("tiny.yaml: memory: the run needs 3", huge);
        // Other tests run beside this one; what is asked for is a thousand times more.
        Assert.InRange(Process.GetCurrentProcess().PrivateMemorySize64 - before, long.MinValue, 4L << 30);
    }

    [Fact]
    public void ALossThatIsNoNumberEndsTheRun()
    {
        string[] wild = ["optimizer.learning_rate=1000", "optimizer.clip=0", "schedule.warmup_steps=0"];
        AssertLastLine("tiny: step 2: the loss is no number: lower optimizer.learning_rate or raise schedule.warmup_steps; what was saved is from before", wild);
        string[] lines = File.ReadAllLines(Path.Combine(_runs.Output, MetricsReader.FileName));
        Assert.Contains("\"loss\":null", lines[^2]);
        Assert.Contains("\"stopped\":\"the loss is no number", lines[^1]);
        Assert.Empty(RunFolder.Open(_runs.Output).Checkpoints());
        Assert.False(Directory.Exists(Path.Combine(_runs.Output, "model")));
        // The run goes on as the message says.
        CommandLine.Output("train", "--resume", _runs.Output, "--set", "optimizer.learning_rate=0.003", "--set", "optimizer.clip=1");
        Assert.DoesNotContain("stopped", File.ReadAllText(Path.Combine(_runs.Output, MetricsReader.FileName)));
    }

    // One line names what is wrong, and no folder is left of a run that did not begin.
    private void AssertRefused(string problem, params string[] sets)
    {
        AssertLastLine(problem, sets);
        Assert.False(Directory.Exists(_runs.Output));
    }

    private void AssertLastLine(string problem, string[] sets) => AssertRefusal(problem, _runs.Arguments("tiny", sets));

    private static void AssertRefusal(string problem, params string[] arguments)
    {
        (int code, string output, string error) = CommandLine.Run(arguments);
        Assert.Equal((1, ""), (code, output));
        string[] lines = error.TrimEnd('\n').Split('\n');
        // Notes may stand before it.
        Assert.StartsWith("skiff: ", lines[^1]);
        Assert.Contains(problem, lines[^1]);
        Assert.Single(lines, line => line.StartsWith("skiff: ", StringComparison.Ordinal));
    }

    private string Listing() => string.Join('\n', Directory.EnumerateFileSystemEntries(_runs.Folder, "*", SearchOption.AllDirectories)
        .Select(path => $"{path} {(File.Exists(path) ? new FileInfo(path).Length : 0)}").Order(StringComparer.Ordinal));
}
