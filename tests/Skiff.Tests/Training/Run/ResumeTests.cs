using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class ResumeTests
{
    // Before, at and behind checkpoints, validations and both stages' beginnings.
    private static readonly long[] s_stops = [1, 4, 5, 6, 9, 10, 11];

    public static TheoryData<string, string[]> Recipes => new()
    {
        { "AdamW, two corpora as they are", [] },
        { "Muon", ["optimizer.name=muon"] },
        { "stages that change mixture, context and rotation", [TinyRun.Stages] },
        { "stages, Muon, a micro-batch chosen by hand, recomputed", [TinyRun.Stages, "optimizer.name=muon", "micro_batch_size=2", "recompute=true"] },
        { "weights, and one step a checkpoint", ["data.0.weight=1", "data.1.weight=2", "checkpoint={every: 1, keep: 1}"] },
        { "no document mask, untied groups", ["document_mask=false", "optimizer.groups=[{match: 'embedding.*', learning_rate_scale: 0}]"] },
    };

    [Theory]
    [MemberData(nameof(Recipes))]
    public void ARunThatIsStoppedAgainAndAgainEndsAsTheUndisturbedOne(string name, string[] sets)
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("whole", sets));
        Recipe stopped = runs.Recipe("stopped", sets);
        for (int i = 0; i < s_stops.Length; i++)
            runs.Train(stopped, resume: i > 0, stopBehind: s_stops[i]);
        List<string> notes = runs.Train(stopped, resume: true);
        Assert.True(notes.Exists(note => note.Contains("goes on behind step 11")), name);
        runs.AssertSame("whole", "stopped");
    }

    [Theory]
    [InlineData("lora={rank: 2, modules: [query, value, down]}")]
    [InlineData("optimizer.name=muon")]
    public void AModelThatIsContinuedGoesOnAsWell(string set)
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("donor"));
        string[] sets = ["model=null", "tokenizer=null", $"init_from={Path.Combine(runs.Run("donor"), "model")}", "optimizer.learning_rate=0.001", set];
        runs.Train(runs.Recipe("whole", sets));
        Recipe stopped = runs.Recipe("stopped", sets);
        foreach (long step in (long[])[2, 3, 8])
            runs.Train(stopped, resume: step > 2, stopBehind: step);
        runs.Train(stopped, resume: true);
        runs.AssertSame("whole", "stopped");
        Assert.False(runs.Weights("whole").AsSpan().SequenceEqual(runs.Weights("donor")));
    }

    [Fact]
    public void ACorpusOfWhichNothingIsHeldOutIsTrainedOnAndTheOthersAreMeasuredOn()
    {
        using TinyRun runs = new();
        string single = Path.Combine(runs.Folder, "single.jsonl");
        File.WriteAllText(single, "{\"text\":\"one short text of a few words and no more\"}\n");
        List<string> notes = runs.Train(runs.Recipe("run", $"data.1.files={single}"));
        Assert.Contains(notes, note => note.StartsWith("data b: 1 documents, ") && note.EndsWith("0 documents, 0 tokens held out"));
        Assert.Equal(3, runs.Metrics("run").Count(line => line.Contains("\"val_loss\":")));
    }

    [Fact]
    public void MicroBatchesChangeNoMoreThanTheOrderOfSums()
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("four", "micro_batch_size=4"));
        runs.Train(runs.Recipe("one", "micro_batch_size=1"));
        double[] four = Losses(runs, "four"), one = Losses(runs, "one");
        Assert.Equal(12, four.Length);
        for (int i = 0; i < four.Length; i++)
            Assert.Equal(four[i], one[i], 1e-4);
        // Chosen for memory, all four rows go through at once.
        runs.Train(runs.Recipe("chosen"));
        runs.AssertSame("four", "chosen");
    }

    [Fact]
    public void ARunThatWasStoppedBeforeItsFirstStepOrBehindItsLastIsWholeAllTheSame()
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("whole", TinyRun.Stages));
        Recipe recipe = runs.Recipe("stopped", TinyRun.Stages);
        using (CancellationTokenSource stop = new())
        using (Trainer trainer = Trainer.Start(recipe, runs.RecipePath, new TrainingEvents(), TestContext.Current.CancellationToken))
        {
            stop.Cancel();
            Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
        }

        Assert.Equal([0L], RunFolder.Open(runs.Run("stopped")).Checkpoints());
        runs.Train(recipe, resume: true);
        runs.AssertSame("whole", "stopped");

        // As where it was killed behind its last checkpoint: the model is of the last stage.
        Directory.Delete(Path.Combine(runs.Run("stopped"), "model"), recursive: true);
        runs.Train(recipe, resume: true);
        runs.AssertSame("whole", "stopped");
    }

    [Fact]
    public void WhatAKilledProcessWasWritingGoesAndCutLinesGoToo()
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("whole"));
        Recipe recipe = runs.Recipe("stopped");
        runs.Train(recipe, stopBehind: 7);
        string folder = runs.Run("stopped");
        string[] before = Names(folder);
        foreach (string name in (string[])[".step-000009.tmp", "..step-000009.tmp.0a1b.tmp", ".model.0a1b.tmp", ".tokenizer.0a1b.tmp"])
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, name)).FullName, "part"), "x");
        foreach (string name in (string[])[".recipe.yaml.0a1b.tmp", ".metrics.jsonl.0a1b.tmp"])
            File.WriteAllText(Path.Combine(folder, name), "x");
        // Somebody else's stays.
        File.WriteAllText(Path.Combine(folder, ".notes.tmp"), "x");
        File.AppendAllText(Path.Combine(folder, MetricsReader.FileName), "{\"step\":8,\"steps\":12,\"loss\":4.5}\n{\"step\":9,\"ste");
        using (Trainer trainer = Trainer.Resume(recipe, runs.RecipePath, new TrainingEvents(), TestContext.Current.CancellationToken))
        {
            Assert.Equal([.. before.Append(".notes.tmp").Order(StringComparer.Ordinal)], Names(folder));
            trainer.Run(TestContext.Current.CancellationToken);
        }

        runs.AssertSame("whole", "stopped");

        static string[] Names(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("model.hidden_size=64", "recipe's model is not that of the run")]
    [InlineData("model.num_hidden_layers=1", "recipe's model is not that of the run")]
    [InlineData("model.num_hidden_layers=3", "recipe's model is not that of the run")]
    [InlineData("optimizer.name=muon", "recipe's model or optimizer is not that of the run")]
    [InlineData("seed=3", "made with seed 0")]
    [InlineData("held_out=0.2", "held-out share of 0.1")]
    public void ARunDoesNotGoOnAsAnother(string set, string problem)
    {
        using TinyRun runs = new();
        runs.Train(runs.Recipe("run"), stopBehind: 4);
        string before = File.ReadAllText(Path.Combine(runs.Run("run"), "recipe.yaml"));
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => runs.Train(runs.Recipe("run", set), resume: true));
        Assert.Contains("step-000004", refusal.Input);
        Assert.Contains(problem, refusal.Problem);
        // The run is as it was.
        Assert.Equal(before, File.ReadAllText(Path.Combine(runs.Run("run"), "recipe.yaml")));
        runs.Train(runs.Recipe("run"), resume: true);
    }

    private static double[] Losses(TinyRun runs, string run) => [.. File.ReadLines(Path.Combine(runs.Run(run), MetricsReader.FileName))
        .Select(line => MetricsLine.TryParse(System.Text.Encoding.UTF8.GetBytes(line))!).Where(line => line.IsTraining).Select(line => line.Loss!.Value)];
}
