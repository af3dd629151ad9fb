using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Evaluation;

public sealed class ExperimentRunnerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, int> _runs = [];
    private readonly List<ExperimentProgress> _told = [];
    private readonly List<string[]> _given = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WhatIsThereIsNotDoneAgain()
    {
        string page = Run();
        Assert.Equal("a 1, b 2, c 3, d 4", page);
        Assert.Equal(page, File.ReadAllText(_folder.File(ExperimentRunner.PageFile)));
        Run();
        Assert.Equal([1, 1, 1, 1], _runs.Values);
        Assert.Equal([(1, 4, "a"), (2, 4, "b"), (3, 4, "c"), (4, 4, "d")], _told.Select(told => (told.Step, told.Steps, told.Name)));
        Assert.True(double.IsNaN(_told[0].SecondsLeft) && _told[2].SecondsLeft >= 0);
        // A file that is damaged or gone is made anew, and nothing else.
        File.WriteAllText(_folder.File("steps/b.json"), "{\"key\":");
        Run();
        File.Delete(_folder.File("steps/c.json"));
        Run();
        Assert.Equal([1, 2, 2, 1], _runs.Values);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*lock*"));
    }

    [Fact]
    public void AChangedKeyChangesWhatBuildsOnIt()
    {
        Run();
        Run(key: "other");
        Assert.Equal([1, 2, 2, 1], _runs.Values);
    }

    [Fact]
    public void AStepIsGivenTheFiguresThatItBuildsOn()
    {
        Run();
        Assert.Equal([[], ["a"], ["b"], ["a"]], _given);
    }

    [Fact]
    public void AStepThatFailsOrIsStoppedLosesNothing()
    {
        Assert.Equal("the disk: of b: is full", Assert.Throws<InvalidInputException>(() => Run(fails: true)).Message);
        Assert.False(File.Exists(_folder.File(ExperimentRunner.PageFile)));
        using CancellationTokenSource stop = new();
        Assert.Throws<OperationCanceledException>(() => Run(stop: stop, stopsIn: "c"));
        Run();
        Assert.Equal([1, 2, 2, 1], _runs.Values);
    }

    [Fact]
    public void TwoRunsDoNotShareAFolder()
    {
        using FileStream other = new(_folder.File("lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        Assert.Contains("cannot be worked in", Assert.Throws<InvalidInputException>(() => Run()).Message);
    }

    // The whole way from texts to the page, in small: its figures mean nothing.
    [Fact]
    public void TheAnchorExperimentRuns()
    {
        string data = Path.GetDirectoryName(Path.GetDirectoryName(Data.File("text", "childrens-books.jsonl.gz")))!;
        (int code, string output, string error) = EndToEnd.CommandLine.Run("experiment", "anchors", _folder.File("out"), "--data", data, "--smoke");
        Assert.True(code == 0, error);
        Assert.Contains("step 2/13 | tiny-1-base", error);
        foreach (string way in new[] { "full attention", "end points", "added, each demonstration", "the same, 4 sinks, last 32", "end points, untrained", "KeyNorm" })
            Assert.Contains($"| {way} |", output);
        // A second call finds all of it.
        (code, string again, error) = EndToEnd.CommandLine.Run("experiment", "anchors", _folder.File("out"), "--data", data, "--smoke", "--json");
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith("<svg", File.ReadAllText(_folder.File("out/tiny.svg")), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(_folder.File("out/page.md")), JsonNode.Parse(again)!["text"]!.ToString());
        Model anchored = Model.Open(_folder.File("out/work/tiny-1-ac-line/model"));
        Assert.Equal(anchored.Tokenizer.IdOf(AnchorTokens.Added), anchored.Config.Anchors!.AddedId);
    }

    [Fact]
    public void TheCompressionExperimentRuns()
    {
        string data = Path.GetDirectoryName(Path.GetDirectoryName(Data.File("text", "childrens-books.jsonl.gz")))!;
        (int code, string output, string error) = EndToEnd.CommandLine.Run("experiment", "compression", _folder.File("out"), "--data", data, "--smoke");
        Assert.True(code == 0, error);
        foreach (string student in new[] { "the teacher", "half (width), pruned, KL", "half (depth), pruned, KL", "a quarter by way of the half, as many tokens for each" })
            Assert.Contains($"| {student} |", output);
        Assert.Equal(96, Model.OpenConfig(_folder.File("out/work/world/half-kl-1/model")).HiddenSize);
        Assert.Equal(4, Model.OpenConfig(_folder.File("out/work/text/depth-kl-1/model")).NumHiddenLayers);
    }

    [Theory]
    [InlineData("there is no experiment 'none'", "experiment", "none", "out", "--data", ".")]
    [InlineData("--data: is no folder", "experiment", "anchors", "out", "--data", "nowhere")]
    public void WhatCannotBeRunIsRefused(string problem, params string[] args)
    {
        (int code, _, string error) = EndToEnd.CommandLine.Run(args);
        Assert.NotEqual(0, code);
        Assert.Contains(problem, error);
    }

    private string Run(string key = "key", bool fails = false, CancellationTokenSource? stop = null, string? stopsIn = null)
    {
        ExperimentStep Step(string name, int value, string own, params string[] after) => new(name, value, own, after, context =>
        {
            _given.Add([.. context.Figures.Keys]);
            _runs[name] = _runs.GetValueOrDefault(name) + 1;
            if (fails && name == "b")
                throw new InvalidInputException("the disk", "of b", "is full");
            if (stopsIn == name)
                stop!.Cancel();
            context.Stop.ThrowIfCancellationRequested();
            return new JsonObject { ["value"] = value };
        });
        Experiment experiment = new("test", "", _ => [Step("a", 1, ""), Step("b", 2, key, "a"), Step("c", 3, "", "b"), Step("d", 4, "", "a")],
            figures => string.Join(", ", figures.Select(step => $"{step.Key} {(double)step.Value["value"]!}")));
        return ExperimentRunner.Run(experiment, _folder.Path, "", ExperimentSize.Usual, _told.Add, stop?.Token ?? CancellationToken.None);
    }
}
