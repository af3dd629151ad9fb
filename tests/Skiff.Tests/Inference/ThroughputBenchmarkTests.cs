using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

public sealed class ThroughputBenchmarkTests
{
    [Fact]
    public void RowsHaveLlamaBenchsNamesAndOrder()
    {
        IReadOnlyList<ThroughputTest> tests = ThroughputTest.Combine([512, 0], [0, 128], [0, 1024], [1, 2], 256, [1]);
        Assert.Equal(["pp512", "tg128", "pp512 @ d1024", "tg128 @ d1024"], tests.Take(4).Select(t => t.Name));
        Assert.Equal([1, 1, 1, 1, 2, 2, 2, 2], tests.Select(t => t.NThreads));
        Assert.All(tests, t => Assert.Equal(256, t.NBatch));
        Assert.Empty(ThroughputTest.Combine([0], [0], [0, 7], [1], 1, [1, 8]));
        // Sequences together are a matter of generation alone.
        Assert.Equal(
            ["pp5", "tg2", "tg2 x8", "tg3", "tg3 x8", "pp5 @ d7", "tg2 @ d7", "tg2 x8 @ d7", "tg3 @ d7", "tg3 x8 @ d7"],
            ThroughputTest.Combine([5], [2, 3], [0, 7], [1], 1, [1, 8]).Select(t => t.Name));
        Assert.Equal((16, 9), (new ThroughputTest(0, 2, 7, 1, 1, 8).Tokens, new ThroughputTest(0, 2, 7, 1, 1, 8).Positions));
    }

    [Fact]
    public void StatisticsOfASample()
    {
        ThroughputFigures figures = Figures(new ThroughputTest(0, 100, 0, 1, 1), 1_000_000_000, 2_000_000_000, 4_000_000_000);
        Assert.Equal([100, 50, 25], figures.SamplesTs);
        Assert.Equal(175 / 3.0, figures.AvgTs, 1e-12);
        // Squared distances from the mean 175/3: (125/3)^2 + (25/3)^2 + (100/3)^2 = 26250/9, divided by two.
        Assert.Equal(Math.Sqrt(26250 / 18.0), figures.StddevTs, 1e-12);
        Assert.Equal(7e9 / 3, figures.AvgNs, 1e-3);
        Assert.Equal(Math.Sqrt((16 + 1 + 25) / 9.0 / 2) * 1e9, figures.StddevNs, 1e-3);
        ThroughputFigures alone = Figures(new ThroughputTest(64, 0, 0, 1, 1), 500);
        Assert.Equal((500, 0, 0), (alone.AvgNs, alone.StddevNs, alone.StddevTs));
    }

    // Every token passes; of a row's own tokens none passes outside its clock but the one that warms the caches.
    [Fact]
    public void ARepetitionBeginsBehindTheDepthAndGoesInPieces()
    {
        List<string> calls = [];
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory, team => Recorder(calls, team));
        benchmark.Measure(new ThroughputTest(5, 0, 7, 1, 3), repetitions: 2, () => calls.Add("done"), TestContext.Current.CancellationToken);
        string[] timed = ["append 0: 3", "append 0: 2", "choose", "done"];
        string[] warmed = ["step 1", "rewind 7"];
        Assert.Equal(
            ["threads 1", "begin 1 of 12", "append 0: 3", "append 0: 3", "append 0: 1", .. warmed, .. timed, "rewind 7", .. warmed, .. timed, "rewind 7", .. warmed, .. timed],
            calls);

        calls.Clear();
        benchmark.Measure(new ThroughputTest(0, 2, 0, 1, 3), repetitions: 1, null, TestContext.Current.CancellationToken);
        string[] empty = ["begin 1 of 2", "step 1", "begin 1 of 2", "step 1", "step 1"];
        Assert.Equal([.. empty, .. empty], calls);

        calls.Clear();
        benchmark.Measure(new ThroughputTest(0, 1, 0, 2, 3), repetitions: 1, null, TestContext.Current.CancellationToken);
        Assert.Equal("threads 2", calls[0]);
    }

    [Fact]
    public void SequencesThatGenerateTogetherHaveADepthEach()
    {
        List<string> calls = [];
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory, team => Recorder(calls, team));
        benchmark.Measure(new ThroughputTest(0, 2, 5, 1, 4, 3), repetitions: 1, null, TestContext.Current.CancellationToken);
        string[] deep = ["append 0: 4", "append 0: 1", "append 1: 4", "append 1: 1", "append 2: 4", "append 2: 1"], timed = ["step 3", "rewind 5", "step 3", "step 3"];
        Assert.Equal(["threads 1", "begin 3 of 7", .. deep, .. timed, "rewind 5", .. timed], calls);
    }

    // What is timed is what the engine computes for each sequence alone.
    [Fact]
    public void AStepGoesOnWithEverySequence()
    {
        Model model = Tiny();
        using ThreadTeam team = new(2);
        BenchmarkDriver together = BenchmarkDriver.Of(model, team), alone = BenchmarkDriver.Of(model, team);
        together.Begin(3, 8);
        for (int number = 0; number < 3; number++)
            together.Append(number, new[] { 5 + number, 6, 7 });
        together.Step(new[] { 30, 20, 10 });
        together.Step(new[] { 31, 21, 11 });
        alone.Begin(1, 8);
        alone.Append(0, new[] { 5, 6, 7, 30, 31 });
        Assert.Equal(alone.Choose(), together.Choose());
        together.Append(2, new[] { 9 });
        alone.Begin(1, 8);
        alone.Append(0, new[] { 7, 6, 7, 10, 11, 9 });
        Assert.Equal(alone.Choose(), together.Choose());
    }

    [Fact]
    public void WhatCannotGoBackBeginsAnew()
    {
        List<string> calls = [];
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory, team => Recorder(calls, team) with { Rewind = null });
        benchmark.Measure(new ThroughputTest(0, 1, 2, 1, 8), repetitions: 1, null, TestContext.Current.CancellationToken);
        Assert.Equal(["threads 1", "begin 1 of 3", "append 0: 2", "step 1", "begin 1 of 3", "append 0: 2", "step 1"], calls);
    }

    [Fact]
    public void ACancelledRunEnds()
    {
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory);
        Assert.Throws<OperationCanceledException>(() => benchmark.Measure(new ThroughputTest(4, 0, 0, 1, 4), 1, null, new CancellationToken(true)));
    }

    [Theory]
    [InlineData(60, 0, 5, 1, 8, "65 positions")]
    [InlineData(0, 1, 64, 1, 8, "65 positions")]
    [InlineData(1, 1, 0, 1, 8, "must be 0")]
    [InlineData(0, 0, 3, 1, 8, "must be 0")]
    [InlineData(-1, 1, 0, 1, 8, "negative")]
    [InlineData(1, 0, 0, 0, 8, "n_threads")]
    [InlineData(1, 0, 0, 1025, 8, "n_threads")]
    [InlineData(1, 0, 0, 1, 0, "n_batch")]
    [InlineData(0, 1, 0, 1, 8, "n_parallel: must lie from 1 to 512, not 0", 0)]
    [InlineData(0, 1, 0, 1, 8, "n_parallel: must lie from 1 to 512, not 513", 513)]
    [InlineData(1, 0, 0, 1, 8, "n_parallel: prompts are timed one by one", 2)]
    [InlineData(0, 3, 62, 1, 8, "tg3 x9 @ d62: 65 positions", 9)]
    public void WhatCannotBeMeasuredIsRefused(int prompt, int generation, int depth, int threads, int batch, string problem, int parallel = 1)
    {
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() =>
            benchmark.Measure(new ThroughputTest(prompt, generation, depth, threads, batch, parallel), 1, null, TestContext.Current.CancellationToken));
        Assert.Contains(problem, refusal.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WorkCountsWhatATokenReadsAndMultiplies(bool tied)
    {
        Model model = Tiny(("tie_word_embeddings", tied));
        ModelWork work = new(model);
        // 2 blocks of query 32x32, key and value 16x32, output 32x32, gate and up 48x32, down 32x48, in single precision; norms of 32.
        const int keys = 2 * 16 * 32, block = 32 * 32 + keys + 32 * 32 + 3 * 48 * 32, norms = 5 * 32, table = 64 * 32;
        Assert.Equal(4L * (2 * block + norms + (tied ? table : 2 * table)), work.ModelSize);
        Assert.Equal(4.0 * (2 * block + norms + table + (tied ? 0 : 32)), work.BytesPerToken);
        // Of the last block, tokens without logits meet keys and values alone.
        Assert.Equal(2.0 * (block + keys), work.OperationsPerToken);
        Assert.Equal(2.0 * (table + block - keys), work.HeadOperations);
        Assert.Equal(11, work.CachedPositions(10));

        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(model, memory);
        using ThreadTeam team = new(1);
        BenchmarkDriver driver = BenchmarkDriver.Of(model, team);
        Assert.Equal(4 * 2 * 2 * 16, driver.KvBytesPerToken);
        // Three tokens behind ten read 11, 12 and 13 positions.
        Assert.Equal(3 * work.BytesPerToken + 36 * driver.KvBytesPerToken, benchmark.Bytes(new ThroughputTest(0, 3, 10, 1, 1), driver));
        Assert.Equal(3 * (work.OperationsPerToken + work.HeadOperations), benchmark.Operations(new ThroughputTest(0, 3, 10, 1, 1)));
        // Four sequences read the weights together, and each its own cache; every token is computed.
        Assert.Equal(3 * work.BytesPerToken + 4 * 36 * driver.KvBytesPerToken, benchmark.Bytes(new ThroughputTest(0, 3, 10, 1, 1, 4), driver));
        Assert.Equal(12 * (work.OperationsPerToken + work.HeadOperations), benchmark.Operations(new ThroughputTest(0, 3, 10, 1, 1, 4)));
        Assert.Equal(9 * work.OperationsPerToken + work.HeadOperations, benchmark.Operations(new ThroughputTest(9, 0, 10, 1, 1)));
    }

    [Fact]
    public void WorkOfExpertsWindowsAndSharedBlocks()
    {
        Model mixtral = Random("""{"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 1, "sliding_window": null}""");
        ModelWork experts = new(mixtral);
        const int attention = 32 * 32 + 2 * 16 * 32 + 32 * 32, expert = 3 * 48 * 32, router = 4 * 32;
        Assert.Equal(2.0 * (attention + expert + router + 2 * 16 * 32), experts.OperationsPerToken);
        Assert.Equal(experts.ModelSize - 4.0 * 2 * 3 * expert - 4 * 63 * 32, experts.BytesPerToken);

        ModelWork window = new(Random("""{"model_type": "mistral", "sliding_window": 8}"""));
        Assert.Equal((5, 8), (window.CachedPositions(4), window.CachedPositions(40)));
    }

    [Fact]
    public void TheFiguresOfAnEngine()
    {
        using MachineBandwidth memory = new(4 << 20);
        using ThroughputBenchmark benchmark = new(Tiny(), memory);
        ThroughputFigures prompt = benchmark.Measure(new ThroughputTest(6, 0, 3, 1, 4), 2, null, TestContext.Current.CancellationToken);
        ThroughputFigures generation = benchmark.Measure(new ThroughputTest(0, 4, 3, 1, 4), 3, null, TestContext.Current.CancellationToken);
        Assert.Equal((2, 3), (prompt.SamplesNs.Count, generation.SamplesNs.Count));
        Assert.True(prompt.TimeToFirstToken >= prompt.AvgNs / 1e9);
        Assert.Null(generation.TimeToFirstToken);
        Assert.Null(prompt.ShareOfBandwidth);
        Assert.True(generation.ShareOfBandwidth > 0);
        foreach (ThroughputFigures figures in new[] { prompt, generation })
        {
            Assert.True(figures is { ShareOfPeak: > 0, BandwidthGbps: > 0, PeakGflops: > 0, PeakRssBytes: > 0, KvBytesPerToken: 256, TypeK: TensorType.F32, TypeV: TensorType.F32 });
            Assert.All(figures.SamplesNs, ns => Assert.True(ns > 0));
        }
    }

    [Fact]
    public void ASequenceCutBackGoesOnAsIfNothingHadBeen()
    {
        Model model = Tiny();
        using InferenceEngine engine = new(model);
        float[] wanted = new float[model.Config.VocabSize], found = new float[model.Config.VocabSize];
        using InferenceSequence straight = engine.CreateSequence(), cut = engine.CreateSequence();
        engine.Forward([new SequenceTokens(straight, new[] { 1, 2, 3, 4, 5 })], wanted);
        engine.Forward([new SequenceTokens(cut, new[] { 1, 2, 9, 8, 7, 6, 11 })], found);
        cut.Rewind(2);
        engine.Forward([new SequenceTokens(cut, new[] { 3, 4, 5 })], found);
        Assert.Equal(wanted, found);
        Assert.Equal(5, cut.Position);
        Assert.Throws<ArgumentOutOfRangeException>(() => cut.Rewind(6));
    }

    private static BenchmarkDriver Recorder(List<string> calls, ThreadTeam team)
    {
        calls.Add($"threads {team.Threads}");
        return new BenchmarkDriver
        {
            Begin = (count, length) => calls.Add($"begin {count} of {length}"),
            Append = (number, tokens) => calls.Add($"append {number}: {tokens.Length}"),
            Step = tokens => calls.Add($"step {tokens.Length}"),
            Choose = () =>
            {
                calls.Add("choose");
                return 0;
            },
            Rewind = position => calls.Add($"rewind {position}"),
            TypeK = TensorType.F16,
            TypeV = TensorType.F16,
            KvBytesPerToken = 1,
        };
    }

    private static ThroughputFigures Figures(ThroughputTest test, params long[] samples) => new()
    {
        Test = test,
        TestTime = DateTimeOffset.UnixEpoch,
        SamplesNs = samples,
        TypeK = TensorType.F32,
        TypeV = TensorType.F32,
        TimeToFirstToken = null,
        PeakRssBytes = 1,
        KvBytesPerToken = 1,
        ShareOfBandwidth = null,
        ShareOfPeak = 1,
        BandwidthGbps = 1,
        PeakGflops = 1,
    };

    private static Model Tiny(params (string Key, JsonNode? Value)[] changes)
    {
        JsonObject json = new() { ["model_type"] = "llama" };
        foreach ((string key, JsonNode? value) in changes)
            json[key] = value;
        return Random(json.ToJsonString());
    }

    private static Model Random(string keys)
    {
        JsonObject json = (JsonObject)JsonNode.Parse("""
            {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
             "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": false}
            """)!;
        foreach ((string key, JsonNode? value) in JsonNode.Parse(keys)!.AsObject())
            json[key] = value?.DeepClone();
        return RandomModel.Create("tiny", ModelConfig.Parse(json, "tiny"), seed: 3, TensorType.F32);
    }
}
