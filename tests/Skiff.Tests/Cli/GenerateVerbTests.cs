using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Cli;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Cli;

public sealed class GenerateVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void GuessesAndCachesLeaveTheTextAsItIs()
    {
        string model = Write("model", "llama", seed: 3), draft = Write("draft", "llama", seed: 4), cache = _folder.File("prompt.cache");
        string[] usual = ["generate", model, "--prompt", "abcabcabcabc", "--max-tokens", "40", "--temperature", "0", "--json"];
        JsonElement plain = Json(usual);
        foreach (string[] flags in new string[][] { ["--lookup"], ["--draft", draft], ["--draft", draft, "--draft-tokens", "3"], ["--prompt-cache", cache], ["--prompt-cache", cache, "--lookup"] })
        {
            JsonElement guessed = Json([.. usual, .. flags]);
            Assert.Equal(Ids(plain), Ids(guessed));
            Assert.Equal(plain.GetProperty("text").GetString(), guessed.GetProperty("text").GetString());
            Assert.Equal(flags.Contains("--lookup") || flags.Contains("--draft"), guessed.TryGetProperty("drafted", out _));
        }

        // A text that repeats itself is guessed right.
        JsonElement same = Json([.. usual, "--lookup", "--logit-bias", "7=1000"]);
        Assert.InRange(same.GetProperty("accepted").GetInt64(), 20, same.GetProperty("drafted").GetInt64());

        Assert.True(File.Exists(cache));
        Assert.Contains("guesses right", Run(0, ["generate", model, "--prompt", "abcabc", "--max-tokens", "9", "--seed", "1", "--lookup"]).Error);
    }

    [Fact]
    public void ProbabilitiesArePrintedAndBiasesForbid()
    {
        string model = Write("model", "llama", seed: 3);
        string[] usual = ["generate", model, "--prompt", "abc", "--max-tokens", "5", "--temperature", "0", "--json"];
        JsonElement all = Json([.. usual, "--top-logprobs", "3", "--prompt-logprobs"]);
        int[] ids = Ids(all);
        JsonElement[][] top = [.. all.GetProperty("top_logprobs").EnumerateArray().Select(t => t.EnumerateArray().ToArray())];
        Assert.All(top, t => Assert.Equal(3, t.Length));
        // Greedy: the likeliest token came.
        Assert.Equal(ids, top.Select(t => t[0].GetProperty("id").GetInt32()));
        Assert.Equal(all.GetProperty("logprobs").EnumerateArray().Select(p => p.GetDouble()), top.Select(t => t[0].GetProperty("logprob").GetDouble()));
        JsonElement[] prompt = [.. all.GetProperty("prompt_logprobs").EnumerateArray()];
        Assert.Equal(all.GetProperty("prompt_ids").GetArrayLength(), prompt.Length);
        Assert.Equal(JsonValueKind.Null, prompt[0].ValueKind);
        Assert.All(prompt[1..], p => Assert.True(p.GetDouble() < 0));

        int[] others = Ids(Json([.. usual, "--logit-bias", $"{ids[0]}=-inf"]));
        Assert.Equal(top[0][1].GetProperty("id").GetInt32(), others[0]);
        Assert.Equal([7, 7, 7, 7, 7], Ids(Json([.. usual, "--logit-bias", "7=1000"])));
        Assert.NotEqual([7, 7, 7, 7, 7], Ids(Json([.. usual, "--logit-bias", "7=1000", "--presence-penalty", "2000"])));
        Json([.. usual, "--typical-p", "0.5", "--frequency-penalty", "0.5", "--cache-type", "i8", "--window", "20", "--sinks", "2"]);
    }

    [Theory]
    [InlineData("exclude each other", "--lookup", "--draft", "x")]
    [InlineData("needs --draft or --lookup", "--draft-tokens", "3")]
    [InlineData("needs --json", "--top-logprobs", "3")]
    [InlineData("as 123=-5", "--logit-bias", "abc")]
    [InlineData("--cache-type takes one of f32, i16, i8, not 'f16'", "--cache-type", "f16")]
    public void WhatContradictsItselfIsAUsageError(string problem, params string[] flags) => Assert.Contains(problem, Run(2, ["generate", "model", .. flags]).Error);

    [Fact]
    public void WhatCannotBeHonouredIsOneLine()
    {
        string model = Write("model", "llama", seed: 3), recurrent = Write("recurrent", "recurrent_gemma", seed: 3), small = Write("small", "llama", seed: 3, vocabulary: 290);
        Assert.Contains("take back", Run(1, ["generate", recurrent, "--prompt", "a", "--lookup"]).Error);
        Assert.Contains("same tokenizer", Run(1, ["generate", model, "--prompt", "a", "--draft", small]).Error);
        Assert.Contains("draft-tokens", Run(1, ["generate", model, "--prompt", "a", "--lookup", "--draft-tokens", "0"]).Error);
        Assert.Contains("outside the vocabulary", Run(1, ["generate", model, "--prompt", "a", "--logit-bias", "5000=1"]).Error);
        string damaged = _folder.File("damaged.cache");
        File.WriteAllText(damaged, new string('x', 200));
        Assert.Contains("damaged.cache", Run(1, ["generate", model, "--prompt", "a", "--prompt-cache", damaged]).Error);
    }

    private string Write(string name, string family, int seed, int vocabulary = 300)
    {
        JsonObject json = (JsonObject)GoldenModel.Read(family).ConfigJson.DeepClone();
        (json["vocab_size"], json["max_position_embeddings"], json["initializer_range"]) = (vocabulary, 128, 0.3);
        ModelWriter.Write(RandomModel.Create(family, ModelConfig.Parse(json, family), seed, TensorType.F32), _folder.File(name));
        return _folder.File(name);
    }

    private static int[] Ids(JsonElement json) => [.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];

    private static JsonElement Json(string[] args) => JsonDocument.Parse(Run(0, args).Output).RootElement;

    private static (string Output, string Error) Run(int expected, string[] args)
    {
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = Program.Run(args, output, error, TestContext.Current.CancellationToken);
        Assert.True(code == expected, error.ToString());
        return (output.ToString(), error.ToString());
    }
}
