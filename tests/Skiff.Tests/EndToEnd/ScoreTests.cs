using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Skiff.Tests.EndToEnd;

public sealed class ScoreTests
{
    [Fact]
    public void EveryReferenceLogitIsMet() => Stories260k.AssertLogits(Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer);

    [Theory]
    [InlineData("reference_nll.v1-train.jsonl.gz")]
    [InlineData("reference_nll.v2-gpt4.jsonl.gz")]
    public void EveryReferenceLikelihoodIsMet(string name)
    {
        Stories260k.AssertLikelihoods(name, Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer);
    }

    [Fact]
    public void BitsPerByteAndTheTableAgreeWithTheSum()
    {
        string text = "Once upon a time, there was a café.";
        using TemporaryFile file = new(JsonSerializer.Serialize(new { text }) + "\n\n" + JsonSerializer.Serialize(new { text = "The end." }) + "\n");
        JsonElement[] scores = Score(file.Path);
        double sum = scores[0].GetProperty("sum").GetDouble();
        Assert.Equal(sum, scores[0].GetProperty("logprobs").EnumerateArray().Skip(1).Sum(p => p.GetDouble()), 1e-9);
        Assert.Equal(-sum / Math.Log(2) / Encoding.UTF8.GetByteCount(text), scores[0].GetProperty("bits_per_byte").GetDouble(), 1e-12);

        string[] table = CommandLine.Output([.. Arguments(file.Path)]).TrimEnd('\n').Split('\n');
        Assert.Equal(4, table.Length);
        Assert.StartsWith("text  tokens", table[0]);
        Assert.StartsWith("all", table[^1]);
    }

    [Fact]
    public void GzipIsReadAsItStands()
    {
        using TemporaryFile plain = new("{\"text\":\"One day\"}\n");
        using TemporaryFile zipped = new("", ".jsonl.gz");
        using (GZipStream stream = new(File.Create(zipped.Path), CompressionLevel.Fastest))
            stream.Write(File.ReadAllBytes(plain.Path));
        Assert.Equal(CommandLine.Output(Arguments(plain.Path, "--json")), CommandLine.Output(Arguments(zipped.Path, "--json")));
    }

    [Theory]
    [InlineData("{\"text\":\"ok\"}\n{\"text\":3}\n", "line 2: text")]
    [InlineData("\n{\"ids\":[1,999]}", "line 2: ids: 999")]
    [InlineData("{\"ids\":[1,2.5]}", "line 1: ids")]
    [InlineData("{\"ids\":[1],\"text\":\"\"}", "line 1: text: give either")]
    [InlineData("[1]", "line 1: line: is not a JSON object")]
    [InlineData("{\"text\":", "line 1: line: is not JSON")]
    [InlineData("{\"text\":\"\\ud800\"}", "line 1: text: is not valid Unicode")]
    public void AWrongLineIsNamed(string content, string problem)
    {
        using TemporaryFile file = new(content);
        (int code, _, string error) = CommandLine.Run(Arguments(file.Path, "--json"));
        Assert.Equal(1, code);
        Assert.Contains(problem, error);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void ATextBeyondTheContextIsAnErrorThatNamesLineAndLimit()
    {
        string text = string.Join(' ', Enumerable.Repeat("once upon a time", 200));
        using TemporaryFile file = new("{\"text\":\"ok\"}\n" + JsonSerializer.Serialize(new { text }));
        (int code, string output, string error) = CommandLine.Run(Arguments(file.Path, "--json"));
        Assert.Equal(1, code);
        Assert.Contains("line 2: tokens", error);
        Assert.Contains("limit of 512 positions", error);
        Assert.Single(output.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void ADamagedArchiveIsNamed()
    {
        using TemporaryFile file = new("", ".gz");
        File.WriteAllBytes(file.Path, [0x1F, 0x8B, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        (int code, _, string error) = CommandLine.Run(Arguments(file.Path));
        Assert.Equal(1, code);
        Assert.Contains("gzip", error);
    }

    private static JsonElement[] Score(string path, params string[] more) =>
        [.. CommandLine.Output(Arguments(path, ["--json", .. more])).TrimEnd('\n').Split('\n').Select(l => JsonSerializer.Deserialize<JsonElement>(l))];

    private static string[] Arguments(string path, params string[] more) =>
        ["score", Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer, "--jsonl", path, .. more];
}
