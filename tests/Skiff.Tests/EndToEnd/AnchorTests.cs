using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.EndToEnd;

/// <summary>From a model to one whose cache forgets, and what it then keeps.</summary>
public sealed class AnchorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EndPointsBecomeAnchors()
    {
        Stories();
        (int code, _, string error) = CommandLine.Run(
            "anchor", Base(), File("out"), "--data", File("text.jsonl"), "--anchors", "endpoint", "--anchors-see-anchors", "--sinks", "2", "--max-segment", "40", "--full-share", "0.25",
            "--steps", "4", "--context", "64", "--batch", "4");
        Assert.True(code == 0, error);
        Model model = Model.Open(File("out"));
        AnchorConfig anchors = model.Config.Anchors!;
        Assert.Equal((true, 2, 40, 1, null), (anchors.AnchorsSeeAnchors, anchors.Sinks, anchors.MaxSegment, anchors.AnchorsPerSegment, anchors.AddedId));
        Assert.Equal(Stories260k.Open().Config.VocabSize, model.Config.VocabSize);

        // What the cache keeps of a prompt, in words.
        string text = CommandLine.Output("generate", File("out"), "--prompt", "Tom had a dog. It ran.", "--max-tokens", "1", "--temperature", "0", "--explain-cache");
        string[] lines = text.Split('\n');
        Assert.Contains(lines, line => line.Contains("kept: sink", StringComparison.Ordinal));
        Assert.Equal(2, lines.Count(line => line.Contains("kept: anchor, closes its segment", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.Contains("dropped behind", StringComparison.Ordinal));
        Assert.Matches(@"kept \d+ of \d+ entries, \d+\.\d% fewer: \d+ bytes where all take \d+", text);
        Assert.DoesNotContain("dropped", CommandLine.Output("generate", File("out"), "--prompt", "Tom had a dog. It ran.", "--max-tokens", "1", "--cache", "full", "--explain-cache"));
        // Its rule has sinks.
        Assert.Contains("--last-anchors: the model's own rule keeps first tokens", CommandLine.Run("generate", File("out"), "--prompt", "a", "--last-anchors", "3").Error);
    }

    [Fact]
    public void AnAddedTokenIsPutBetweenAndNeverShown()
    {
        Stories();
        string[] args =
        [
            "anchor", Base(), File("out"), "--data", File("text.jsonl"), "--anchors", "added", "--anchors-per-segment", "2", "--steps", "4", "--context", "64", "--batch", "4", "--set", "anchors.init=stop",
        ];
        CommandLine.Output(args);
        Model start = Model.Open(Base()), model = Model.Open(File("out"));
        int id = model.Tokenizer.IdOf(AnchorTokens.Added)!.Value;
        Assert.Equal((start.Tokenizer.VocabularySize, id), (id, model.Config.Anchors!.AddedId));
        Assert.Equal(start.Config.VocabSize + 1, model.Config.VocabSize);

        using InferenceEngine engine = new(model);
        int[] ids = new Generator(engine, model.Tokenizer).PromptIds("Tom had a dog. It ran.");
        Assert.Equal(2, ids.Count(each => each == id));
        // A model that would say nothing but anchors shows nothing of them.
        GenerationOptions options = new() { MaxTokens = 6, EndIds = [] };
        GeneratedToken[] tokens = [.. new Generator(engine, model.Tokenizer).Generate(ids, new Always(id), options, stop: TestContext.Current.CancellationToken)];
        Assert.Equal("", string.Concat(tokens.Select(token => token.Text)));
        // Anchors are no text: they get no probability, and the bytes are those of the text.
        TextScore score = new Scorer(engine, model.Tokenizer).Score("Tom had a dog. It ran.", "test", stop: TestContext.Current.CancellationToken);
        Assert.All(score.Ids.Zip(score.LogProbabilities).Skip(1), pair => Assert.Equal(pair.First == id, pair.Second is null));
        Assert.DoesNotContain(AnchorTokens.Added, CommandLine.Output("generate", File("out"), "--prompt", "Tom had a dog. It ran.", "--max-tokens", "20", "--temperature", "0"));

        // With a step that changes next to nothing the row is still as it begins: a copy of the full stop's.
        CommandLine.Output("anchor", Base(), File("begun"), "--data", File("text.jsonl"), "--anchors", "added", "--steps", "1", "--context", "64", "--batch", "4", "--learning-rate", "1e-12", "--set", "anchors.init=stop");
        Tensor table = Model.Open(File("begun")).Parameter("embedding.weight");
        float[] row = new float[model.Config.HiddenSize], stop = new float[row.Length];
        table.ReadRow(id, row);
        table.ReadRow(start.Tokenizer.IdOf(".")!.Value, stop);
        Assert.All(row.Zip(stop), pair => Assert.Equal(pair.Second, pair.First, 6));

        // Conversations get no token put in, so a model with one is not trained on them.
        System.IO.File.WriteAllText(File("chat.jsonl"), """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""");
        System.IO.File.WriteAllText(File("chat.yaml"), $"init_from: {File("out")}\ndata: [{{name: talk, files: {File("chat.jsonl")}, format: chat}}]\nsteps: 1\noutput: {File("chatted")}\n");
        (int code, _, string error) = CommandLine.Run("train", File("chat.yaml"));
        Assert.Equal((1, true), (code, error.Contains("holds conversations, into which no <AC> is put", StringComparison.Ordinal)));

        // A model with the token is trained on with it, and gets no second one.
        CommandLine.Output("anchor", File("out"), File("more"), "--data", File("text.jsonl"), "--anchors", "added", "--steps", "2", "--context", "64", "--batch", "4");
        Assert.Equal(model.Config.VocabSize, Model.Open(File("more")).Config.VocabSize);
    }

    [Theory]
    [InlineData("endpoint")]
    [InlineData("added")]
    public void AnInterruptedRunEndsWithTheSameBytes(string anchors)
    {
        Stories();
        string[] args = ["anchor", Base(), File("out"), "--data", File("text.jsonl"), "--anchors", anchors, "--full-share", "0.5", "--steps", "6", "--context", "64", "--batch", "4", "--set", "checkpoint.every=2"];
        CommandLine.Output(args);
        byte[] wanted = System.IO.File.ReadAllBytes(File("out/model.safetensors"));
        foreach (string gone in new[] { "out", "out-run/model", "out-run/step-000006" })
            Directory.Delete(File(gone), recursive: true);
        CommandLine.Output(args);
        Assert.Equal(wanted, System.IO.File.ReadAllBytes(File("out/model.safetensors")));
    }

    [Fact]
    public void ASavedPromptIsSmall()
    {
        Stories();
        CommandLine.Output("anchor", Base(), File("out"), "--data", File("text.jsonl"), "--anchors", "endpoint", "--steps", "1", "--context", "64", "--batch", "4");
        string prompt = string.Concat(Enumerable.Repeat("Once there was a little dog who liked to run in the park. ", 12));
        string[] Generate(string file, string cache) => ["generate", File("out"), "--prompt", prompt, "--max-tokens", "8", "--temperature", "0", "--cache", cache, "--prompt-cache", File(file), "--raw"];
        string first = CommandLine.Output(Generate("anchors", "anchor"));
        CommandLine.Output(Generate("full", "full"));
        Assert.Equal(first, CommandLine.Output(Generate("anchors", "anchor")));
        Assert.True(8 * new FileInfo(File("anchors")).Length < new FileInfo(File("full")).Length);
        (int code, _, string error) = CommandLine.Run(Generate("anchors", "full"));
        Assert.Equal((1, true), (code, error.Contains("another model, quantization or window", StringComparison.Ordinal)));
    }

    [Fact]
    public void WhatCannotBeHonouredIsRefused()
    {
        Stories();
        Assert.Contains("--anchors takes endpoint or added, not 'none'", Refusal("--anchors", "none"));
        Assert.Contains("Option '--anchors' is required", Refusal(), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("anchors.end_tokens: 'dog dog' is", Refusal("--anchors", "endpoint", "--end-token", "dog dog"));
        Assert.Contains("2 is below anchors_per_segment 3", Refusal("--anchors", "endpoint", "--max-segment", "2", "--anchors-per-segment", "3"));
        Assert.Contains("leaves the table of embeddings", Refusal("--anchors", "added", "--set", "lora={rank: 2}"));
        Directory.CreateDirectory(File("taken"));
        System.IO.File.WriteAllText(File("taken/mine.txt"), "");
        (int code, _, string error) = CommandLine.Run("anchor", Base(), File("taken"), "--data", File("text.jsonl"), "--anchors", "endpoint");
        Assert.Equal((1, true), (code, error.Contains("is there already and is not empty", StringComparison.Ordinal)));
        (code, _, error) = CommandLine.Run("generate", Base(), "--prompt", "a", "--cache", "sometimes");
        Assert.Contains("--cache takes full, window, separators or anchor, not 'sometimes'", error);
        (code, _, error) = CommandLine.Run("generate", Base(), "--prompt", "a", "--cache", "window");
        Assert.Contains("the caches window and separators need one", error);
        (code, _, error) = CommandLine.Run("generate", Base(), "--prompt", "a", "--last-anchors", "3");
        Assert.Contains("the model has no anchors", error);

        string Refusal(params string[] more)
        {
            (int code, _, string error) = CommandLine.Run(["anchor", Base(), File("refused"), "--data", File("text.jsonl"), "--steps", "1", "--context", "64", .. more]);
            Assert.NotEqual(0, code);
            Assert.False(Directory.Exists(File("refused")));
            return error;
        }
    }

    [Theory]
    [InlineData("--cache", "window", "--window", "9", "--sinks", "2")]
    [InlineData("--cache", "separators", "--window", "9", "--sinks", "2")]
    [InlineData("--cache", "anchor")]
    public void EveryCacheGoesOnBeyondTheContextWhereItLetsGo(params string[] cache)
    {
        string[] more = cache.Contains("anchor") ? ["--last-anchors", "5"] : [];
        string text = CommandLine.Output(["generate", Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer, "--prompt", "Once upon a time", "--max-tokens", "700", "--context", "1000", "--seed", "1", "--raw", .. cache, .. more]);
        Assert.True(text.Length > 100);
    }

    private string File(string name) => _folder.File(name);

    private string Base()
    {
        string path = File("base");
        if (!Directory.Exists(path))
            CommandLine.Output("convert", Stories260k.Checkpoint, path, "--tokenizer", Stories260k.Tokenizer);
        return path;
    }

    private void Stories()
    {
        Random random = new(1);
        string[] who = ["Tom", "Lily", "The dog", "A bird"], does = ["ran to", "saw", "liked", "sat near"], what = ["the tree", "a ball", "the park", "his mom"];
        System.IO.File.WriteAllLines(File("text.jsonl"), Enumerable.Range(0, 200).Select(_ => new JsonObject
        {
            ["text"] = string.Join(' ', Enumerable.Range(0, 12).Select(_ => $"{who[random.Next(4)]} {does[random.Next(4)]} {what[random.Next(4)]}.")),
        }.ToJsonString()));
    }

    /// <summary>Draws one token, come what may.</summary>
    private sealed class Always(int id) : ISampler
    {
        public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history) => id;
    }
}
