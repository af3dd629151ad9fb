using System.Text.Json.Nodes;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

public sealed class SearchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SizesAreTriedAndTheBestIsTaught()
    {
        string teacher = _folder.File("base"), text = Data.File("text", "tinystories-v1-train.jsonl.gz"), target = _folder.File("small");
        CommandLine.Output("convert", Stories260k.Checkpoint, teacher, "--tokenizer", Stories260k.Tokenizer);
        string[] args = ["search", teacher, target, "--data", text, "--params", "70%", "--candidates", "3", "--trial-steps", "4", "--steps", "6", "--context", "64", "--batch", "4", "--learning-rate", "1e-3", "--json"];
        JsonNode found = JsonNode.Parse(CommandLine.Output(args))!;
        JsonArray sizes = found["sizes"]!.AsArray();
        long all = Model.OpenConfig(teacher).ParameterCount;
        Assert.Equal(3, sizes.Count);
        Assert.All(sizes, size => Assert.InRange((long)size!["parameters"]!, (long)(0.63 * all), (long)(0.7 * all)));
        Assert.True(sizes.Select(size => (int)size!["layers"]!).Distinct().Count() > 1);
        Assert.Equal(sizes.Select(size => (double)size!["loss"]!).Order(), sizes.Select(size => (double)size!["loss"]!));
        Assert.Equal(found["best"]!.ToString(), sizes[0]!["name"]!.ToString());
        Assert.True((bool)sizes[0]!["pareto"]!);
        Assert.Equal((long)sizes[0]!["parameters"]!, Model.OpenConfig(target).ParameterCount);
        Assert.StartsWith("<svg", File.ReadAllText(_folder.File("small-search/search.svg")), StringComparison.Ordinal);

        // Trials that are there are not run again.
        Directory.Delete(target, recursive: true);
        Directory.Delete(target + "-run", recursive: true);
        Assert.Equal(sizes.Select(size => (double)size!["loss"]!), JsonNode.Parse(CommandLine.Output(args))!["sizes"]!.AsArray().Select(size => (double)size!["loss"]!));
    }

    [Theory]
    [InlineData("give one budget: --params or --memory")]
    [InlineData("costs between", "--params", "5%")]
    [InlineData("out of reach within the budget: the fastest size tried is", "--params", "80%", "--tokens-per-second", "90x")]
    public void WhatCannotBeMetIsRefused(string problem, params string[] budget)
    {
        string teacher = _folder.File("base"), text = Data.File("text", "tinystories-v1-train.jsonl.gz");
        CommandLine.Output("convert", Stories260k.Checkpoint, teacher, "--tokenizer", Stories260k.Tokenizer);
        (int code, _, string error) = CommandLine.Run(["search", teacher, _folder.File("small"), "--data", text, "--context", "64", .. budget]);
        Assert.NotEqual(0, code);
        Assert.Contains(problem, error);
    }
}
