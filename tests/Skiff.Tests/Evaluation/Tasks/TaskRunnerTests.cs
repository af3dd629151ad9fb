using System.IO.Compression;
using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tests.EndToEnd;

namespace Skiff.Tests.Evaluation;

/// <summary>Scores of tasks on stories260K.</summary>
public sealed class TaskRunnerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Model _model;
    private readonly InferenceEngine _engine;

    public TaskRunnerTests()
    {
        _model = Model.Open(Stories260k.Checkpoint, Stories260k.Tokenizer);
        _engine = new InferenceEngine(_model);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    private static string Root => Path.GetDirectoryName(Path.GetDirectoryName(Data.File("eval", "arc_easy.jsonl.gz")))!;

    // To the last bit, whatever is shared and beside.
    [Theory]
    [InlineData("arc_easy", 0)]
    [InlineData("arc_easy", 1)]
    [InlineData("winogrande", 2)]
    [InlineData("piqa", 0)]
    [InlineData("blimp", 0)]
    [InlineData("lambada_openai", 0)]
    public void ScoresAreThoseOfOneTextAtATime(string name, int shots)
    {
        TaskConfig task = new TaskLibrary().Find([name])[0];
        TaskItem[] items = [.. new TaskPrompts(task, new TaskData(Root), shots).Items(40)];
        using ContinuationScorer scorer = new(_engine, _model.Tokenizer);
        IReadOnlyList<ContinuationScore>[] scores = [.. scorer.Score(items.Select(item => item.Requests), truncate: true, number => $"{number}", TestContext.Current.CancellationToken)];
        for (int i = 0; i < items.Length; i++)
        {
            for (int c = 0; c < items[i].Requests.Count; c++)
                Assert.Equal(Alone(items[i].Requests[c]), scores[i][c].LogProbability);
        }
    }

    // Each text behind the token that begins it, as the reference counted.
    [Fact]
    public void RollingLikelihoodsAreThoseOfTheReference()
    {
        using ContinuationScorer scorer = new(_engine, _model.Tokenizer);
        Dictionary<string, string> texts = Lines("text", "tinystories-v2-gpt4.jsonl.gz").Take(200).Select(line => JsonNode.Parse(line)!).ToDictionary(node => node["id"]!.ToString(), node => node["text"]!.ToString());
        int compared = 0;
        foreach (JsonNode line in Lines("models", "stories260k", "reference_nll.v2-gpt4.jsonl.gz").Select(line => JsonNode.Parse(line)!))
        {
            // Longer ones were cut there.
            if (line["tokens"]!.AsArray().Count >= 512)
                continue;
            ContinuationScore score = scorer.Rolling(texts[line["id"]!.ToString()], TestContext.Current.CancellationToken);
            Assert.Equal((int)line["predicted"]!, score.Tokens);
            Assert.Equal(-(double)line["nll"]!, score.LogProbability, 2e-4 * score.Tokens);
            compared++;
        }

        Assert.True(compared > 150, $"{compared}");
    }

    // Answers in any other order are right by chance alone.
    [Fact]
    public void ShuffledAnswersScoreAtChance()
    {
        TaskConfig task = new TaskLibrary().Find(["basic_arithmetic"])[0];
        Random random = new(1);
        string path = _folder.File("eval/basic_arithmetic.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllLines(path, Lines("eval", "basic_arithmetic.jsonl.gz").Select(line =>
        {
            JsonNode node = JsonNode.Parse(line)!;
            node["gold"] = random.Next(node["choices"]!.AsArray().Count);
            return node.ToJsonString();
        }));
        TaskConfig shuffled = task with { DataFiles = new Dictionary<string, IReadOnlyList<string>> { ["validation"] = ["eval/basic_arithmetic.jsonl"] } };
        using TaskRunner runner = new(_engine, _model, new TaskData(_folder.Path));
        (double value, double error) = runner.Run(shuffled, new TaskOptions(), stop: TestContext.Current.CancellationToken).Values.Single(value => value.Metric.Name == "acc").Result;
        Assert.InRange(value, 0.25 - (3 * error), 0.25 + (3 * error));
    }

    [Fact]
    public void EveryTaskRunsAndIsPrintedAsTheHarnessPrints()
    {
        string tasks = "arc_easy,openbookqa,hellaswag,boolq,commonsense_qa,winogrande,wsc273,copa,sciq,lambada_openai,truthfulqa_mc1,truthfulqa_mc2,basic_arithmetic,blimp,mmlu_astronomy,wikitext,gsm8k";
        string[] args = ["eval", Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer, "--tasks", tasks, "--limit", "3", "--num_fewshot", "0", "--truncate", "--data", Root, "--output_path", _folder.File("r.json"), "--log_samples", _folder.File("s.jsonl")];
        string table = CommandLine.Output(args);
        Assert.Contains("|Tasks", table);
        Assert.Contains("|Filter          |n-shot|", table);
        JsonNode results = JsonNode.Parse(File.ReadAllText(_folder.File("r.json")))!;
        foreach (string task in tasks.Split(','))
            Assert.True(results["results"]![task] is JsonObject { Count: > 1 }, task);
        Assert.InRange((double)results["results"]!["arc_easy"]!["acc,none"]!, 0, 1);
        Assert.True((double)results["results"]!["wikitext"]!["bits_per_byte,none"]! > 0.5);
        Assert.NotNull(results["results"]!["gsm8k"]!["exact_match,strict-match"]);
        Assert.Equal(3, (int)results["n-samples"]!["arc_easy"]!["effective"]!);
        Assert.Equal(17 * 3, File.ReadLines(_folder.File("s.jsonl")).Count());
    }

    // Rounded to 4 bits the model answers some items otherwise; demonstrations one after the other.
    [Fact]
    public void ModelsAreComparedItemByItem()
    {
        string whole = _folder.File("base"), small = _folder.File("small.gguf");
        CommandLine.Output("convert", Stories260k.Checkpoint, whole, "--tokenizer", Stories260k.Tokenizer);
        CommandLine.Output("quantize", whole, small, "--type", "q4_0");
        string[] args = ["eval", whole, small, "--tasks", "arc_easy", "--limit", "30", "--shots", "0,1", "--data", Root, "--truncate"];
        (int code, string table, string error) = CommandLine.Run([.. args, "--plot", _folder.File("shots.svg")]);
        Assert.True(code == 0, error);
        Assert.Contains("less the other", table);
        Assert.StartsWith("<svg", File.ReadAllText(_folder.File("shots.svg")), StringComparison.Ordinal);
        JsonNode report = JsonNode.Parse(CommandLine.Output([.. args, "--json"]))!;
        JsonNode first = report["comparisons"]![0]!;
        Assert.Equal((double)report["models"]![0]!["results"]!["arc_easy@0"]!["acc,none"]! - (double)report["models"]![1]!["results"]!["arc_easy@0"]!["acc,none"]!, (double)first["difference"]!, 1e-9);
        Assert.True((double)first["low"]! <= (double)first["difference"]! && (double)first["difference"]! <= (double)first["high"]!);
        Assert.Equal(4, report["comparisons"]!.AsArray().Count);
    }

    [Fact]
    public void APromptThatIsTooLongIsNamedAndNeverCutInSilence()
    {
        string[] args = ["eval", Stories260k.Checkpoint, "--tokenizer", Stories260k.Tokenizer, "--tasks", "boolq", "--limit", "2", "--num-fewshot", "5", "--data", Root];
        (int code, _, string error) = CommandLine.Run(args);
        Assert.NotEqual(0, code);
        Assert.Contains("boolq, document 0: tokens:", error);
        (code, _, error) = CommandLine.Run([.. args, "--truncate"]);
        Assert.Equal(0, code);
        Assert.Contains("boolq: 4 prompts were longer than the context of 512", error);
    }

    private static IEnumerable<string> Lines(params string[] parts)
    {
        using StreamReader reader = new(new GZipStream(File.OpenRead(Data.File(parts)), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    private double Alone(TaskRequest request)
    {
        string context = request.Context.TrimEnd(), continuation = request.Context[context.Length..] + request.Continuation;
        int[] front = context.Length == 0 ? [_model.Tokenizer.BosId!.Value] : _model.Tokenizer.Encode(context);
        int[] whole = context.Length == 0 ? [.. front, .. _model.Tokenizer.Encode(continuation, addSpecial: false)] : _model.Tokenizer.Encode(context + continuation);
        int over = Math.Max(0, whole.Length - 1 - _engine.MaxPositions);
        using InferenceSequence sequence = _engine.CreateSequence();
        float[] logits = new float[_engine.VocabularySize];
        double sum = 0;
        for (int i = over; i + 1 < whole.Length; i++)
        {
            _engine.Forward([new SequenceTokens(sequence, whole.AsMemory(i, 1))], logits);
            if (i + 1 >= front.Length)
                sum += LogProbability.Of(logits, whole[i + 1]);
        }

        return sum;
    }
}
