using System.IO.Compression;
using System.Text.Json;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

/// <summary>The 260K-parameter story model, and what others computed with it.</summary>
internal static class Stories260k
{
    public static string Checkpoint => Data.File("models", "stories260k", "stories260K.bin");

    public static string CheckpointV1 => Data.File("models", "stories260k", "stories260K.v1.bin");

    public static string Tokenizer => Data.File("models", "stories260k", "tok512.bin");

    public static Model Open() => Model.Open(Checkpoint, Tokenizer);

    /// <summary>The objects of a .jsonl.gz file of the model's folder.</summary>
    public static IEnumerable<JsonElement> Lines(string name)
    {
        using GZipStream stream = new(File.OpenRead(Data.File("models", "stories260k", name)), CompressionMode.Decompress);
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }

    /// <summary>The texts that run.c makes.</summary>
    public static JsonElement[] Generations() =>
        JsonSerializer.Deserialize<JsonElement[]>(File.ReadAllText(Data.File("models", "stories260k", "expected_generations.json")))!;

    /// <summary>The command line that makes one of them.</summary>
    public static string[] RunC(JsonElement wanted, string checkpoint)
    {
        string[] seed = wanted.GetProperty("seed").ValueKind == JsonValueKind.Null ? [] : ["--seed", wanted.GetProperty("seed").GetRawText()];
        return
        [
            "generate", checkpoint, "--tokenizer", Tokenizer, "--sampler", "llama2c", "--raw",
            "--temperature", wanted.GetProperty("temperature").GetRawText(), "--top-p", wanted.GetProperty("top_p").GetRawText(),
            "--steps", wanted.GetProperty("steps").GetRawText(), "--prompt", wanted.GetProperty("prompt").GetString()!, .. seed,
        ];
    }

    /// <summary>Checks every logit of the three reference texts.</summary>
    public static void AssertLogits(params string[] model)
    {
        JsonElement[] references = [.. Lines("reference_logits.jsonl.gz")];
        using TemporaryFile file = new(string.Join('\n', references.Select(r => JsonSerializer.Serialize(new { text = r.GetProperty("text").GetString() }))));
        JsonElement[] scores = Score(model, file.Path, "--logits");
        Assert.Equal(3, scores.Length);
        double worst = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            Assert.Equal(Ints(references[i].GetProperty("tokens")), Ints(scores[i].GetProperty("ids")));
            JsonElement[] wanted = [.. references[i].GetProperty("logits").EnumerateArray()];
            JsonElement[] found = [.. scores[i].GetProperty("logits").EnumerateArray()];
            Assert.Equal(wanted.Length, found.Length);
            for (int t = 0; t < wanted.Length; t++)
            {
                foreach ((JsonElement w, JsonElement f) in wanted[t].EnumerateArray().Zip(found[t].EnumerateArray()))
                    worst = Math.Max(worst, Math.Abs(w.GetDouble() - f.GetDouble()));
                Assert.Equal(512, found[t].GetArrayLength());
            }
        }

        Assert.InRange(worst, 0, 2e-5);
    }

    /// <summary>Checks the summed log-likelihoods of 200 stories.</summary>
    public static void AssertLikelihoods(string name, params string[] model)
    {
        JsonElement[] references = [.. Lines(name)];
        using TemporaryFile file = new(string.Join('\n', references.Select(r => $"{{\"ids\":{r.GetProperty("tokens").GetRawText()}}}")));
        JsonElement[] scores = Score(model, file.Path);
        Assert.Equal(200, scores.Length);
        foreach ((JsonElement wanted, JsonElement found) in references.Zip(scores))
        {
            Assert.Equal(-wanted.GetProperty("nll").GetDouble(), found.GetProperty("sum").GetDouble(), 1e-3);
            Assert.Equal(wanted.GetProperty("predicted").GetInt32(), found.GetProperty("logprobs").EnumerateArray().Count(p => p.ValueKind == JsonValueKind.Number));
        }
    }

    private static JsonElement[] Score(string[] model, string path, params string[] more) =>
        [.. CommandLine.Output(["score", .. model, "--jsonl", path, "--json", .. more]).TrimEnd('\n').Split('\n').Select(l => JsonSerializer.Deserialize<JsonElement>(l))];

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(i => i.GetInt32())];
}
