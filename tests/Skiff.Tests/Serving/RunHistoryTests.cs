using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Skiff.Serving;
using Skiff.Training;

namespace Skiff.Tests.Serving;

public sealed class RunHistoryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2000)]
    [InlineData(2001)]
    [InlineData(100_003)]
    public void ALongRunBecomesAFewPointsThatHideNothing(int lines)
    {
        RunHistory history = new();
        Random random = new(1);
        double[] losses = [.. Enumerable.Range(0, lines).Select(_ => (double)(float)random.NextDouble())];
        for (int i = 0; i < lines; i++)
            history.Add(Training(i + 1, losses[i]));
        JsonNode training = Write(history, null)["training"]!;
        double[] mean = Column(training, "loss"), low = Column(training, "loss_low"), high = Column(training, "loss_high"), step = Column(training, "step");
        Assert.InRange(mean.Length, Math.Min(lines, CurveTable.MostPoints / 2), CurveTable.MostPoints);
        Assert.Equal((losses.Min(), losses.Max()), (low.Min(), high.Max()));
        // Every point is the mean, least and greatest of the lines behind the point before, up to its step.
        for (int i = 0, from = 0; i < step.Length; from = (int)step[i++])
        {
            double[] part = losses[from..(int)step[i]];
            Assert.Equal(part.Average(), mean[i], 1e-6);
            Assert.Equal((part.Min(), part.Max()), (low[i], high[i]));
        }

        Assert.Equal(lines, step[^1]);
    }

    // What a page puts together from news alone is what a fresh page is told, whatever the run does.
    [Fact]
    public void NewsAddUpToTheWhole() =>
        Gen.Select(Gen.Int[1, 1500], Gen.Int[0, 400], Gen.Int[0, 9]).Array[1, 8].Sample(parts =>
        {
            RunHistory history = new();
            JsonNode known = Write(history, null);
            long step = 0;
            foreach ((int count, int back, int kind) in parts)
            {
                if (kind == 0)
                    history.Clear();
                step = kind == 0 ? 0 : Math.Max(0, step - (kind < 5 ? back : 0));
                for (int i = 0; i < count; i++)
                {
                    history.Add(Training(++step, step));
                    if (step % 100 == 0)
                        history.Add(new MetricsLine { Step = step, ValidationBitsPerByte = step });
                    if (step % 500 == 0)
                        history.Add(new MetricsLine { Step = step, Prompt = "a", Sample = $"{step}" });
                }

                JsonNode news = Write(history, (string)known["cursor"]!);
                foreach (string part in new[] { "training", "validation" })
                {
                    int keep = (int)news[part]!["keep"]!;
                    foreach ((string name, JsonNode? values) in news[part]!.AsObject().Where(column => column.Value is JsonArray))
                        news[part]![name] = new JsonArray([.. known[part]![name]!.AsArray().Take(keep).Concat(values!.AsArray()).Select(value => value?.DeepClone())]);
                    news[part]!["keep"] = 0;
                }

                news["samples"] ??= known["samples"]!.DeepClone();
                known = news;
                Assert.True(JsonNode.DeepEquals(Write(history, null), known));
            }
        }, iter: 40, threads: 1);

    [Fact]
    public void AStepThatComesAgainReplacesWhatFollowed()
    {
        RunHistory history = new();
        for (int step = 1; step <= 10; step++)
        {
            history.Add(Training(step, 1));
            history.Add(new MetricsLine { Step = step, ValidationBitsPerByte = 1 });
        }

        history.Add(new MetricsLine { Step = 10, Prompt = "a", Sample = "old" });
        history.Add(new MetricsLine { Step = 10, Stopped = "loss is NaN" });
        Assert.NotNull(history.End);
        history.Add(Training(6, 2) with { Seconds = 1 });
        history.Add(Training(7, 2) with { Seconds = 2 });
        Assert.Null(history.End);
        JsonNode all = Write(history, null);
        Assert.Equal([1, 1, 1, 1, 1, 2, 2], Column(all["training"]!, "loss"));
        Assert.Equal([1, 2, 3, 4, 5], Column(all["validation"]!, "step"));
        Assert.Empty(all["samples"]!.AsArray());
    }

    [Fact]
    public void AClockThatStartsAnewGoesOn()
    {
        RunHistory history = new();
        foreach ((int step, int seconds) in new[] { (1, 10), (2, 20), (3, 5), (4, 15) })
            history.Add(Training(step, 1) with { Seconds = seconds });
        Assert.Equal([10, 20, 25, 35], Column(Write(history, null)["training"]!, "seconds"));
        Assert.Equal((35, 10), (history.Seconds, history.Interval));
    }

    [Fact]
    public void ALossThatIsNoNumberIsAGap()
    {
        RunHistory history = new();
        history.Add(Training(1, 1));
        history.Add(Training(2, 1) with { Loss = null });
        JsonNode training = Write(history, null)["training"]!;
        Assert.Equal("[1,null]", training["loss"]!.ToJsonString());
        Assert.Equal("[1,null]", training["loss_low"]!.ToJsonString());
    }

    [Fact]
    public void SamplesAreBoundedAndSaySo()
    {
        RunHistory history = new();
        for (int step = 1; step <= 100; step++)
            history.Add(new MetricsLine { Step = step, Prompt = "a", Sample = new string('x', 10_000) });
        JsonArray samples = Write(history, null)["samples"]!.AsArray();
        Assert.Equal(24, samples.Count);
        Assert.Equal(100, (int)samples[^1]!["step"]!);
        Assert.EndsWith("x [1808 more characters in metrics.jsonl]", (string)samples[0]!["sample"]!, StringComparison.Ordinal);
    }

    private static MetricsLine Training(long step, double loss) => new() { Step = step, Tokens = step * 8, IsTraining = true, Loss = loss, LearningRate = 0.1 };

    private static double[] Column(JsonNode part, string name) => [.. part[name]!.AsArray().Select(value => (double)(float)value!)];

    private static JsonNode Write(RunHistory history, string? cursor)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            history.Write(json, cursor is null ? null : (long.Parse(cursor.Split('.')[0]), long.Parse(cursor.Split('.')[1])));
            json.WriteEndObject();
        }

        return JsonNode.Parse(buffer.ToArray())!;
    }
}
