using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Training;

namespace Skiff.Tests.Training;

/// <summary>Two small corpora in a folder of their own, and a recipe that trains a tiny model on them within a second.</summary>
internal sealed class TinyRun : IDisposable
{
    /// <summary>The stages that change everything a stage can, at steps 5 and 10.</summary>
    public const string Stages =
        "stages=[{from: 320, context_length: 32, mixture: {a: 1, b: 3}, rope_theta: 500}, {from: decay, mixture: {a: 2, b: 1}, learning_rate_scale: 0.5}]";

    private readonly TemporaryFolder _folder = new();

    public TinyRun(int documents = 60)
    {
        Write("a.jsonl", documents, "the a small boat river wind goes home over under cat dog sea light ship sails".Split(' '), 1);
        Write("b.jsonl", documents / 2, "once upon time there was tree bird who sang all day about rain sun and snow".Split(' '), 2);
        RecipePath = _folder.File("tiny.yaml");
        System.IO.File.WriteAllText(RecipePath,
            $$"""
            output: "{{Output}}"
            model: {model_type: llama, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 64}
            tokenizer: {vocab_size: 300}
            data:
              - {name: a, files: "{{_folder.File("a.jsonl")}}"}
              - {name: b, files: "{{_folder.File("b.jsonl")}}"}
            held_out: 0.1
            context_length: 16
            batch_size: 4
            steps: 12
            schedule: {warmup_steps: 2, decay_steps: 2}
            validation: {every: 4, tokens: 200}
            checkpoint: {every: 3}
            samples: {every: 6, max_tokens: 4}
            """);
    }

    /// <summary>The folder of corpora, recipe and runs.</summary>
    public string Folder => _folder.Path;

    public string RecipePath { get; }

    /// <summary>The run's folder where the recipe is not changed.</summary>
    public string Output => Run("tiny");

    /// <summary>The folder of a run.</summary>
    public string Run(string name) => Path.Combine(_folder.Path, "runs", name);

    /// <summary>The recipe for a run of its own folder.</summary>
    public Recipe Recipe(string run, params string[] sets) => Skiff.Training.Recipe.Read(RecipePath, [.. sets, $"output={Run(run)}"]);

    /// <summary>The same for the command line; what is no <c>key=value</c> is an option.</summary>
    public string[] Arguments(string run, params string[] more) =>
        ["train", RecipePath, "--set", $"output={Run(run)}", .. more.SelectMany(one => one.Contains('=') ? (string[])["--set", one] : [one])];

    /// <summary>Trains a recipe from its beginning, or goes on with it, to the end or until it is stopped behind a step.</summary>
    /// <returns>What was told.</returns>
    public List<string> Train(Recipe recipe, bool resume = false, long? stopBehind = null)
    {
        List<string> notes = [];
        TrainingEvents events = Events(notes, stopBehind, out CancellationTokenSource stop);
        using (stop)
        using (Trainer trainer = resume ? Trainer.Resume(recipe, RecipePath, events) : Trainer.Start(recipe, RecipePath, events))
            End(trainer, stop);
        return notes;
    }

    /// <summary>Trains a branch of a run.</summary>
    public void Branch(Recipe recipe, string run, long step, long? stopBehind = null)
    {
        RunFolder parent = RunFolder.Open(Run(run));
        TrainingEvents events = Events([], stopBehind, out CancellationTokenSource stop);
        using (stop)
        using (Trainer trainer = Trainer.Branch(recipe, RecipePath, Checkpoint.Open(parent.CheckpointPath(step)), RunFolder.TrainedTokenizer(parent.Path), events))
            End(trainer, stop);
    }

    /// <summary>The weights that a run ended with.</summary>
    public byte[] Weights(string run) => System.IO.File.ReadAllBytes(Path.Combine(Run(run), "model", "model.safetensors"));

    /// <summary>A run's metrics without what the clock decides.</summary>
    public string[] Metrics(string run) => [.. System.IO.File.ReadLines(Path.Combine(Run(run), MetricsReader.FileName)).Select(WithoutTimes)];

    /// <summary>Checks that two runs ended alike: weights and description byte for byte, and every figure in all its digits.</summary>
    public void AssertSame(string expected, string actual)
    {
        Assert.Equal(Metrics(expected), Metrics(actual));
        Assert.True(Weights(expected).AsSpan().SequenceEqual(Weights(actual)), $"{expected} and {actual} ended with different weights");
        Assert.Equal(Text(expected), Text(actual));

        string Text(string run) => System.IO.File.ReadAllText(Path.Combine(Run(run), "model", "config.json"));
    }

    public void Dispose() => _folder.Dispose();

    private static string WithoutTimes(string line)
    {
        JsonObject json = JsonNode.Parse(line)!.AsObject();
        foreach (string clock in (string[])["tokens_per_second", "share_of_peak", "seconds", "eta_seconds"])
            json.Remove(clock);
        return json.ToJsonString();
    }

    private static TrainingEvents Events(List<string> notes, long? stopBehind, out CancellationTokenSource stop)
    {
        CancellationTokenSource source = stop = new();
        return new TrainingEvents
        {
            Note = notes.Add,
            Step = metrics =>
            {
                if (metrics.Step == stopBehind)
                    source.Cancel();
            },
        };
    }

    private static void End(Trainer trainer, CancellationTokenSource stop)
    {
        try
        {
            trainer.Run(stop.Token);
            Assert.False(stop.IsCancellationRequested);
        }
        catch (OperationCanceledException)
        {
            Assert.True(stop.IsCancellationRequested);
        }
    }

    private void Write(string name, int documents, string[] words, int seed)
    {
        Random random = new(seed);
        System.IO.File.WriteAllLines(_folder.File(name), Enumerable.Range(0, documents).Select(_ => JsonSerializer.Serialize(
            new { text = string.Join(' ', Enumerable.Range(0, random.Next(4, 50)).Select(_ => words[random.Next(words.Length)])) + "." })));
    }
}
