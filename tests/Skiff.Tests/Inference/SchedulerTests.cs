using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class SchedulerTests
{
    private const int Context = 256, Vocabulary = 300;

    private static readonly Tokenizer Words = ByteLevelTokenizer.Create(Vocabulary);

    // Every id but those that end a text.
    private static readonly GenerationOptions Endless = new() { EndIds = [] };

    [Theory]
    [InlineData("llama", 0, 0)]
    [InlineData("llama", 20, 3)]
    [InlineData("recurrent_gemma", 0, 0)]
    public async Task WhateverTheScheduleEachRequestGetsWhatItGetsAlone(string family, int window, int sinks)
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine(family, team, window, sinks);
        Random random = new(11);
        Planned[] pool = [.. Enumerable.Range(0, 40).Select(i => Planned.Create(engine, random, i))];
        Assert.Equal(3, pool.SelectMany(p => p.Expected).Select(t => t.Finish).OfType<FinishReason>().Distinct().Count());
        for (int schedule = 0; schedule < 350; schedule++)
        {
            Planned[] picked = [.. Enumerable.Range(0, random.Next(1, 7)).Select(_ => pool[random.Next(pool.Length)])];
            SchedulerOptions options = new()
            {
                PromptChunk = random.Next(1, 30),
                MaxRunning = random.Next(1, 6),
                CacheBytes = (long)(picked.Max(p => p.Bytes) * (1 + 2 * random.NextDouble())),
                KeptSequences = random.Next(4),
            };
            using (Scheduler scheduler = new(engine, Words, options))
            {
                TaskCompletionSource[] read = [.. picked.Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
                List<Task> tasks = [];
                for (int i = 0; i < picked.Length; i++)
                {
                    // Joins at once or when an earlier one has its first token; ends by itself, or is cancelled or left after some tokens.
                    Task join = i > 0 && random.Next(2) == 0 ? read[random.Next(i)].Task : Task.CompletedTask;
                    int leave = random.Next(4) == 0 ? random.Next(6) : int.MaxValue;
                    tasks.Add(Follow(scheduler, picked[i], join, read[i], random.Next(3), leave, random.Next(2) == 0));
                }

                await Task.WhenAll(tasks);
            }

            Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
        }
    }

    [Fact]
    public async Task ALongPromptHoldsARunningRequestUpForNoPass()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("llama", team);
        using Scheduler scheduler = new(engine, Words, new SchedulerOptions { PromptChunk = 8 });
        using ManualResetEventSlim submitted = new();
        int drawn = 0, drawnBefore = 0;
        IAsyncEnumerable<GeneratedToken> running = Submit(scheduler, [1], new Hooked(() =>
        {
            submitted.Wait(TestContext.Current.CancellationToken);
            drawn++;
        }), Endless with { MaxTokens = 60 });
        IAsyncEnumerable<GeneratedToken> other = Submit(scheduler, [.. Enumerable.Repeat(5, 200)], new Hooked(() => drawnBefore = drawn), Endless with { MaxTokens = 1 });
        submitted.Set();
        Assert.Single(await All(other));
        Assert.Equal(60, (await All(running)).Count);
        // One token beside each of its 25 pieces, and one before; or its first piece had 7 rows, beside the other's prompt, and it had 26.
        Assert.Equal(26, drawnBefore);
    }

    [Fact]
    public async Task HigherPrioritiesGoFirstAndEqualOnesInOrder()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("llama", team);
        using Scheduler scheduler = new(engine, Words, new SchedulerOptions { MaxRunning = 1 });
        using ManualResetEventSlim begun = new(), submitted = new();
        List<string> order = [];
        List<IAsyncEnumerable<GeneratedToken>> requests = [Submit(scheduler, [1], new Hooked(() =>
        {
            begun.Set();
            submitted.Wait(TestContext.Current.CancellationToken);
        }), Endless with { MaxTokens = 1 })];
        begun.Wait(TestContext.Current.CancellationToken);
        foreach ((string name, int priority) in new[] { ("low", -1), ("first", 5), ("usual", 0), ("second", 5) })
            requests.Add(Submit(scheduler, [1], new Hooked(() => order.Add(name)), Endless with { MaxTokens = 1 }, priority));
        SchedulerStatistics statistics = scheduler.Statistics;
        Assert.Equal((1, 4), (statistics.Running, statistics.Waiting));
        submitted.Set();
        foreach (IAsyncEnumerable<GeneratedToken> request in requests)
            await All(request);
        Assert.Equal(["first", "second", "usual", "low"], order);
        Assert.Equal(new SchedulerStatistics(0, 0, 0, 0), scheduler.Statistics);
    }

    [Fact]
    public async Task WhatDoesNotFitTheMemoryWaitsAndWhatNeverWillIsRefused()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("llama", team);
        long small = engine.Plan.SequenceBytes(64, engine.MaxRows);
        using Scheduler scheduler = new(engine, Words, new SchedulerOptions { CacheBytes = 2 * small });
        InvalidInputException error = Assert.Throws<InvalidInputException>(() => Submit(scheduler, [1], new Hooked(() => { }), Endless with { MaxTokens = 200 }));
        Assert.Contains($"more than the {2 * small} there are", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => Submit(scheduler, [Vocabulary], new Hooked(() => { }), Endless with { MaxTokens = 2 }));
        long most = 0;
        // None ends before all have come, however slow this thread is.
        using ManualResetEventSlim submitted = new();
        IAsyncEnumerable<GeneratedToken>[] requests = [.. Enumerable.Range(0, 5).Select(_ => Submit(scheduler, [1, 2, 3], new Hooked(() =>
        {
            submitted.Wait(TestContext.Current.CancellationToken);
            most = Math.Max(most, engine.CacheBytes);
        }), Endless with { MaxTokens = 20 }))];
        submitted.Set();
        foreach (IAsyncEnumerable<GeneratedToken> request in requests)
            Assert.Equal(20, (await All(request)).Count);
        // Two at once, exactly as counted.
        Assert.Equal(2 * small, most);
        Assert.Equal(0, engine.CacheBlocks);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("recurrent_gemma")]
    public async Task TheNextTurnOfAChatReadsItsNewTokensOnly(string family)
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine(family, team);
        Random random = new(2);
        int[] prompt = [.. Enumerable.Range(0, 70).Select(_ => random.Next(1, Vocabulary))];
        using Scheduler scheduler = new(engine, Words, new SchedulerOptions { KeptSequences = 2 });
        List<GeneratedToken> answer = await All(Submit(scheduler, prompt, new Hooked(() => { }), Endless with { MaxTokens = 10 }));
        // The last token drawn was never read.
        int[] next = [.. prompt, .. answer.Select(t => t.Id), 5, 6, 7];
        using InferenceEngine other = Engine(family, team);
        List<GeneratedToken> expected = [.. new Generator(other, Words).Generate(next, new Hooked(() => { }), Endless with { MaxTokens = 10 }, stop: TestContext.Current.CancellationToken)];
        Assert.Equal(expected, await All(Submit(scheduler, next, new Hooked(() => { }), Endless with { MaxTokens = 10 })));
        Assert.Equal(prompt.Length + 9, scheduler.Statistics.SharedTokens);
        // Another question behind the same instructions: a recurrent state cannot go back to it.
        int[] question = [.. prompt, 9, 8];
        expected = [.. new Generator(other, Words).Generate(question, new Hooked(() => { }), Endless with { MaxTokens = 10 }, stop: TestContext.Current.CancellationToken)];
        Assert.Equal(expected, await All(Submit(scheduler, question, new Hooked(() => { }), Endless with { MaxTokens = 10 })));
        Assert.Equal(prompt.Length + 9 + (family == "llama" ? prompt.Length : 0), scheduler.Statistics.SharedTokens);
        Assert.True(engine.CacheBlocks > 0);
        // Room that was reserved for a longer answer is not kept with what was written.
        long kept = engine.CacheBytes;
        await All(Submit(scheduler, question, new Hooked(() => { }, 9), Endless with { MaxTokens = 150, EndIds = [9] }));
        Assert.True(engine.CacheBytes <= kept);
        scheduler.Dispose();
        Assert.Equal(0, engine.CacheBlocks);
    }

    [Fact]
    public async Task AnErrorOfOneRequestEndsThatOneOnly()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("llama", team);
        using Scheduler scheduler = new(engine, Words);
        int calls = 0;
        IAsyncEnumerable<GeneratedToken> good = Submit(scheduler, [1], new Hooked(() => { }), Endless with { MaxTokens = 30 });
        IAsyncEnumerable<GeneratedToken> bad = Submit(scheduler, [1], new Hooked(() =>
        {
            if (++calls == 3)
                throw new FormatException("broken");
        }), Endless with { MaxTokens = 30 });
        IAsyncEnumerable<GeneratedToken> outside = Submit(scheduler, [1], new Hooked(() => { }, -1), Endless with { MaxTokens = 30 });
        await Assert.ThrowsAsync<FormatException>(() => All(bad));
        await Assert.ThrowsAnyAsync<Exception>(() => All(outside));
        Assert.Equal(30, (await All(good)).Count);
        Assert.Equal(0, engine.CacheBlocks);
    }

    [Fact]
    public async Task AFailureOfTheEngineEndsAll()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("llama", team);
        using Scheduler scheduler = new(engine, Words, new SchedulerOptions { MaxRunning = 1 });
        using ManualResetEventSlim submitted = new();
        IAsyncEnumerable<GeneratedToken> running = Submit(scheduler, [1], new Hooked(() =>
        {
            submitted.Wait(TestContext.Current.CancellationToken);
            engine.Dispose();
        }), Endless with { MaxTokens = 30 });
        IAsyncEnumerable<GeneratedToken> waiting = Submit(scheduler, [1], new Hooked(() => { }), Endless with { MaxTokens = 30 });
        submitted.Set();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => All(running));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => All(waiting));
        Assert.Throws<InvalidOperationException>(() => Submit(scheduler, [1], new Hooked(() => { }), Endless with { MaxTokens = 3 }));
        Assert.Equal(0, engine.CacheBlocks);
    }

    [Fact]
    public async Task DisposeEndsAllAndFreesTheirMemory()
    {
        using ThreadTeam team = new(1);
        using InferenceEngine engine = Engine("recurrent_gemma", team);
        Scheduler scheduler = new(engine, Words, new SchedulerOptions { MaxRunning = 2 });
        using ManualResetEventSlim begun = new();
        IAsyncEnumerable<GeneratedToken>[] requests = [.. Enumerable.Range(0, 4).Select(_ => Submit(scheduler, [1, 2], new Hooked(() =>
        {
            // Slow enough that none is through.
            begun.Set();
            Thread.Sleep(1);
        }), Endless with { MaxTokens = 250 }))];
        begun.Wait(TestContext.Current.CancellationToken);
        scheduler.Dispose();
        scheduler.Dispose();
        Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
        foreach (IAsyncEnumerable<GeneratedToken> request in requests)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => All(request));
        Assert.Throws<ObjectDisposedException>(() => Submit(scheduler, [1], new Hooked(() => { }), Endless with { MaxTokens = 3 }));
    }

    private static async Task Follow(Scheduler scheduler, Planned planned, Task join, TaskCompletionSource read, int priority, int leave, bool cancel)
    {
        await join;
        using CancellationTokenSource source = new();
        List<GeneratedToken> tokens = [];
        try
        {
            IAsyncEnumerable<GeneratedToken> stream = scheduler.Submit(planned.Prompt, planned.Sampler(), planned.Options, priority, source.Token);
            if (leave == 0 && cancel)
                source.Cancel();
            await foreach (GeneratedToken token in stream)
            {
                tokens.Add(token);
                read.TrySetResult();
                if (tokens.Count < leave)
                    continue;
                if (!cancel)
                    break;
                source.Cancel();
            }
        }
        catch (OperationCanceledException) when (source.IsCancellationRequested)
        {
        }
        finally
        {
            read.TrySetResult();
        }

        Assert.Equal(leave == int.MaxValue ? planned.Expected : planned.Expected[..tokens.Count], tokens);
    }

    private static IAsyncEnumerable<GeneratedToken> Submit(Scheduler scheduler, int[] prompt, ISampler sampler, GenerationOptions options, int priority = 0) =>
        scheduler.Submit(prompt, sampler, options, priority, TestContext.Current.CancellationToken);

    private static async Task<List<GeneratedToken>> All(IAsyncEnumerable<GeneratedToken> stream)
    {
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in stream)
            tokens.Add(token);
        return tokens;
    }

    private static InferenceEngine Engine(string family, ThreadTeam team, int window = 0, int sinks = 0)
    {
        JsonObject json = GoldenModel.Read(family).ConfigJson;
        (json["vocab_size"], json["max_position_embeddings"]) = (Vocabulary, Context);
        Model model = RandomModel.Create(family, ModelConfig.Parse(json, family), seed: 3, TensorType.F32);
        return new InferenceEngine(model, new InferenceEngineOptions { MaxRows = 24, Team = team, Window = window, Sinks = sinks });
    }

    /// <summary>Draws the most probable token or one id, after something else.</summary>
    private sealed class Hooked(Action hook, int? id = null) : ISampler
    {
        public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
        {
            hook();
            return id ?? logits.IndexOf(System.Numerics.Tensors.TensorPrimitives.Max(logits));
        }
    }

    /// <summary>A request, and what it gets alone.</summary>
    private sealed record Planned(int[] Prompt, GenerationOptions Options, SamplingOptions Sampling, long Bytes)
    {
        public GeneratedToken[] Expected { get; private set; } = [];

        public Sampler Sampler() => new(Sampling, Vocabulary);

        public static Planned Create(InferenceEngine engine, Random random, int number)
        {
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, number % 5 == 0 ? 120 : 20)).Select(_ => random.Next(1, Vocabulary))];
            GenerationOptions options = new()
            {
                // Without a count the many end ids end it.
                MaxTokens = number % 4 == 0 ? null : random.Next(1, 14),
                EndIds = number % 4 == 0 ? [.. Enumerable.Range(0, Vocabulary / 9).Select(i => 9 * i)] : number % 4 == 1 ? null : [],
                Stop = number % 3 == 0 ? ["a", " b", "zz"] : [],
                LogProbabilities = number % 2 == 0,
                SkipSpecial = number % 7 != 0,
            };
            SamplingOptions sampling = new() { Temperature = number % 5 == 1 ? 0 : 1, RepetitionPenalty = number % 2 == 0 ? 1 : 1.2f, Seed = (ulong)number };
            int positions = options.MaxTokens is { } count ? prompt.Length + count : Context;
            Planned planned = new(prompt, options, sampling, engine.Plan.SequenceBytes(positions, engine.MaxRows));
            planned.Expected = [.. new Generator(engine, Words).Generate(prompt, planned.Sampler(), options)];
            return planned;
        }
    }
}
