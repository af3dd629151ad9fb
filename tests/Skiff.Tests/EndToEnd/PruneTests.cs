using System.Text.Json.Nodes;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

public sealed class PruneTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ABudgetBecomesAModelThatRuns()
    {
        string[] args = ["prune", Base(), _folder.File("half"), "--data", Text(), "--importance", _folder.File("scores"), "--context", "64", "--samples", "8", "--params", "60%", "--json"];
        JsonNode figures = JsonNode.Parse(CommandLine.Output(args))!;
        Model small = Model.Open(_folder.File("half"));
        Assert.Equal(small.Config.ParameterCount, (long)figures["parameters"]!);
        Assert.InRange((double)figures["parameters"]! / (double)figures["parameters_before"]!, 0.54, 0.6);
        Assert.Contains("head_dim", small.Config.Source.Select(pair => pair.Key));
        string text = CommandLine.Output("generate", _folder.File("half"), "--prompt", "Once", "--max-tokens", "8", "--temperature", "0", "--raw");
        Assert.NotEmpty(text);

        // As GGUF it says the same, and the scores serve another target without a text.
        CommandLine.Output("convert", _folder.File("half"), _folder.File("half.gguf"));
        Assert.Equal(text, CommandLine.Output("generate", _folder.File("half.gguf"), "--prompt", "Once", "--max-tokens", "8", "--temperature", "0", "--raw"));
        string printed = CommandLine.Output("prune", Base(), _folder.File("short"), "--importance", _folder.File("scores"), "--layers", "3");
        Assert.Contains("blocks      5 -> 3", printed);
        Assert.Equal(3, Model.Open(_folder.File("short")).Config.NumHiddenLayers);
        CommandLine.Output("prune", Base(), _folder.File("least"), "--importance", _folder.File("scores"), "--layers", "4", "--layers-by", "loss", "--data", Text(), "--context", "64");
        Assert.Equal(4, Model.Open(_folder.File("least")).Config.NumHiddenLayers);
        CommandLine.Output("prune", Base(), _folder.File("fast.gguf"), "--importance", _folder.File("scores"), "--tokens-per-second", "1.05x", "--ways", "depth");
        Assert.True(Model.Open(_folder.File("fast.gguf")).Config.NumHiddenLayers < 5);
    }

    // A file's keys are numbers of another kind than those of a config.json.
    [Fact]
    public void AGgufFileIsPrunedToo()
    {
        CommandLine.Output("convert", Base(), _folder.File("base.gguf"));
        string[] sizes = ["--random", "1", "--layers", "3", "--hidden", "48", "--ffn", "120"];
        CommandLine.Output(["prune", Base(), _folder.File("small"), .. sizes]);
        CommandLine.Output(["prune", _folder.File("base.gguf"), _folder.File("small.gguf"), .. sizes]);
        Model folder = Model.Open(_folder.File("small")), file = Model.Open(_folder.File("small.gguf"));
        Assert.Equal((3, 48, 120), (file.Config.NumHiddenLayers, file.Config.HiddenSize, file.Config.Layers[0].IntermediateSize));
        foreach (Parameter parameter in ParameterList.Of(folder.Config))
            Assert.Equal(folder.Parameter(parameter.Name).Floats().ToArray(), file.Parameter(parameter.Name).Floats().ToArray());
    }

    [Fact]
    public void WhatCannotBeHadIsRefused()
    {
        Assert.Contains("give one budget", Refusal());
        Assert.Contains("--data or --importance is needed", Refusal("--layers", "3"));
        Assert.Contains("the model can be pruned to 1 to 5", Refusal("--layers", "9", "--data", Text()));
        Assert.Contains("--random asks for no text", Refusal("--layers", "3", "--data", Text(), "--random", "1"));
        Assert.Contains("99 is not there: the model has 0 to 4", Refusal("--keep-layers", "0-2,99", "--data", Text()));
        Assert.Contains("the least is", Refusal("--params", "1%", "--data", Text()));
        Assert.Contains("takes a share or a count", Refusal("--params", "many", "--data", Text()));
        File.WriteAllText(_folder.File("few.txt"), "Once.");
        Assert.Contains("tokens are too few", Refusal("--layers", "3", "--data", _folder.File("few.txt")));
        Assert.Contains("is not there: give --data", Refusal("--layers", "3", "--importance", _folder.File("none")));
        Assert.False(Directory.Exists(_folder.File("out")));

        string Refusal(params string[] more)
        {
            (int code, _, string error) = CommandLine.Run(["prune", Base(), _folder.File("out"), .. more]);
            Assert.NotEqual(0, code);
            return error;
        }
    }

    private string Base()
    {
        string path = _folder.File("base");
        if (!Directory.Exists(path))
            CommandLine.Output("convert", Stories260k.Checkpoint, path, "--tokenizer", Stories260k.Tokenizer);
        return path;
    }

    private string Text()
    {
        string path = _folder.File("text.txt");
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, 80).Select(i => $"Once there was a {new[] { "dog", "cat", "bird" }[i % 3]} who liked to {new[] { "run", "sing" }[i % 2]} in the park. ")));
        return path;
    }
}
