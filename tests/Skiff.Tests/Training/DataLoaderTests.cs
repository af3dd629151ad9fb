using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class DataLoaderTests : IDisposable
{
    private readonly Corpus _corpus = new();
    private readonly List<TokenShards> _open = [];

    public void Dispose()
    {
        _open.ForEach(shards => shards.Dispose());
        _corpus.Dispose();
    }

    // Documents begin with their number and end with EOS, so a stream of tokens can be told apart again.
    [Theory]
    [InlineData(16, 0, 300, 40)]
    [InlineData(64, 0, 300, 40)]
    [InlineData(7, 0, 40, 900)]
    [InlineData(200, 0, 40, 900)]
    [InlineData(32, 200, 40, 900)]
    [InlineData(1, 3, 20, 50)]
    public void EveryTokenAppearsOnceAnEpochWithTheRightTargetAndStart(int context, int pieceLength, int documents, int longest)
    {
        DataSource source = Source("a", documents, longest);
        DataLoaderOptions options = new() { Seed = 3, HeldOutShare = 0.2, PieceLength = pieceLength, Stages = [new() { ContextLength = context }] };
        foreach (DataSplit split in Enum.GetValues<DataSplit>())
        {
            long tokens = source.Shards.Count(split, 0.2).Tokens;
            DataLoader loader = new([source], options with { Split = split });
            List<List<(int, int)>> epochs = [];
            List<(int Id, int Target, int Start)> stream = [];
            while (stream.Count < 3 * tokens)
                stream.AddRange(Take(loader, 1));
            foreach (int epoch in new[] { 0, 1, 2 })
            {
                epochs.Add([.. stream.Skip((int)(epoch * tokens)).Take((int)tokens).Select(token => (token.Id, token.Target))]);
                Assert.Equal(Pairs(source.Shards, split, 0.2).Order(), epochs[^1].Order());
            }

            if (split == DataSplit.Training)
                Assert.NotEqual(epochs[0], epochs[1]);
            CheckStarts(stream, context, pieceLength == 0 ? context : pieceLength);
        }
    }

    [Fact]
    public void DocumentsStayWholeAndAreShuffled()
    {
        string[] texts = Corpus.Texts(200, 40);
        DataSource source = Source("a", 200, 40);
        DataLoader loader = new([source], new() { HeldOutShare = 0, Stages = [new() { ContextLength = 64 }] });
        List<int> ids = [.. Take(loader, (int)(source.Shards.Tokens / 64)).Select(token => token.Id)];
        List<string> seen = [.. Corpus.Tokenizer.Decode([.. ids]).Split("<|endoftext|>")[..^1]];
        Assert.Empty(seen.Except(texts));
        Assert.Equal(seen.Count, seen.Distinct().Count());
        int[] order = [.. seen.Select(text => Array.IndexOf(texts, text))];
        Assert.InRange(Enumerable.Range(1, order.Length - 1).Count(i => order[i] > order[i - 1]), order.Length * 2 / 5, order.Length * 3 / 5);
    }

    [Fact]
    public void TheSeedDecides()
    {
        DataSource source = Source("a", 300, 40);
        List<(int, int, int)> Of(long seed) => [.. Take(new DataLoader([source], new() { Seed = seed, Stages = [new() { ContextLength = 32 }] }), 50)];
        Assert.Equal(Of(1), Of(1));
        Assert.NotEqual(Of(1), Of(2));
    }

    [Fact]
    public void AResumedStreamIsTheUndisturbedOne()
    {
        DataSource[] sources = [Source("a", 100, 60), Source("b", 30, 700), Source("c", 200, 10)];
        DataLoaderOptions options = new()
        {
            Seed = 9,
            HeldOutShare = 0.1,
            Stages =
            [
                new() { ContextLength = 48, Weights = new Dictionary<string, double> { ["a"] = 0.7, ["b"] = 0.3 } },
                new() { From = 8000, ContextLength = 100, Weights = new Dictionary<string, double> { ["b"] = 2, ["c"] = 1 } },
                new() { From = 20_000, ContextLength = 16 },
            ],
        };
        DataLoader whole = new(sources, options);
        List<string> positions = [];
        List<List<(int, int, int)>> batches = [];
        for (int n = 0; n < 250; n++)
        {
            positions.Add(whole.Position.ToJson());
            batches.Add([.. Take(whole, 1 + (n % 4))]);
        }

        Assert.Equal(2, whole.Stage);
        for (int n = 0; n < 250; n++)
        {
            DataLoader resumed = new(sources, options, DataPosition.Parse(positions[n], "x"));
            Assert.Equal(positions[n], resumed.Position.ToJson());
            for (int next = n; next < Math.Min(n + 4, 250); next++)
                Assert.Equal(batches[next], Take(resumed, 1 + (next % 4)));
        }
    }

    [Fact]
    public void StagesChangeMixtureAndContextAtTheirTokens()
    {
        DataSource[] sources = [Source("a", 100, 60), Source("b", 100, 60)];
        DataLoaderOptions options = new()
        {
            Stages =
            [
                new() { ContextLength = 10, Weights = new Dictionary<string, double> { ["a"] = 3, ["b"] = 1 } },
                new() { From = 4000, ContextLength = 20, Weights = new Dictionary<string, double> { ["b"] = 1 } },
            ],
        };
        DataLoader loader = new(sources, options);
        for (int n = 0; n < 100; n++)
        {
            Assert.Equal((10, 0), (loader.ContextLength, loader.Stage));
            Take(loader, 4);
        }

        Assert.Equal((20, 1, 4000), (loader.ContextLength, loader.Stage, loader.Tokens));
        Assert.Equal([0, 0], loader.Position.Sources.Values.Select(source => source.Rows));
        Take(loader, 5);
        Assert.Equal([0, 5], loader.Position.Sources.Values.Select(source => source.Rows));
    }

    [Fact]
    public void ABranchMayAddAStageAndASource()
    {
        DataSource a = Source("a", 100, 60), b = Source("b", 100, 60);
        DataLoaderOptions options = new() { PieceLength = 64, Stages = [new() { ContextLength = 32 }] };
        DataLoader run = new([a], options);
        Take(run, 20);
        DataPosition position = run.Position;
        DataLoader branch = new([b, a], options with
        {
            Stages = [new() { ContextLength = 32, Weights = new Dictionary<string, double> { ["a"] = 1 } }, new() { From = 960, ContextLength = 64 }],
        }, position);
        Assert.Equal(Take(run, 10), Take(branch, 10));
        Assert.Equal((1, 64), (branch.Stage, branch.ContextLength));
    }

    [Fact]
    public void PositionsThatDoNotFitAreRefused()
    {
        DataSource source = Source("a", 100, 60), other = Source("b", 50, 60);
        DataLoaderOptions options = new() { Stages = [new() { ContextLength = 32 }] };
        DataLoader loader = new([source], options);
        Take(loader, 5);
        DataPosition position = loader.Position;
        SourcePosition place = position.Sources["a"];
        DataPosition With(SourcePosition changed) => position with { Sources = new Dictionary<string, SourcePosition> { ["a"] = changed } };
        foreach (DataPosition wrong in new[]
        {
            position with { Seed = 5 }, position with { Split = DataSplit.HeldOut }, position with { HeldOutShare = 0.5 }, position with { PieceLength = 5 },
            position with { Tokens = -1 }, With(place with { Data = "x" }), With(place with { Unit = long.MaxValue }), With(place with { Unit = -1 }),
            With(place with { Offset = int.MaxValue }), With(place with { Offset = -1 }), With(place with { Epoch = -1 }), With(place with { Rows = -1 }),
        })
            Assert.Throws<InvalidInputException>(() => new DataLoader([source], options, wrong));
        Assert.Equal("a", Assert.Throws<InvalidInputException>(() => new DataLoader([other], options, position)).Field);
        foreach (string json in new[] { "", "null", "{}", "[]", position.ToJson() + "x", position.ToJson().Replace("seed", "sed", StringComparison.Ordinal), position.ToJson().Replace("\"training\"", "0", StringComparison.Ordinal) })
            Assert.Equal("data position", Assert.Throws<InvalidInputException>(() => DataPosition.Parse(json, "x")).Field);
    }

    [Fact]
    public void OptionsThatCannotBeAreRefusedByName()
    {
        DataSource source = Source("a", 20, 60);
        DataStage stage = new() { ContextLength = 8 };
        DataStage Weighted(string name, double weight) => stage with { Weights = new Dictionary<string, double> { [name] = weight } };
        (DataLoaderOptions, string)[] cases =
        [
            (new() { Stages = [] }, "stages"), (new() { Stages = [stage with { From = 1 }] }, "stages[0].from"), (new() { Stages = [stage, stage] }, "stages[1].from"),
            (new() { Stages = [stage with { ContextLength = 0 }] }, "stages[0].context_length"), (new() { Stages = [Weighted("z", 1)] }, "stages[0].weights"),
            (new() { Stages = [Weighted("a", -1)] }, "stages[0].weights"), (new() { Stages = [Weighted("a", double.NaN)] }, "stages[0].weights"),
            (new() { Stages = [Weighted("a", 0)] }, "stages[0].weights"), (new() { PieceLength = -1 }, "piece length"), (new() { HeldOutShare = 1 }, "a"),
            (new() { HeldOutShare = 0, Split = DataSplit.HeldOut }, "a"),
        ];
        foreach ((DataLoaderOptions options, string field) in cases)
            Assert.Equal(field, Assert.Throws<InvalidInputException>(() => new DataLoader([source], options)).Field);
        Assert.Throws<InvalidInputException>(() => new DataLoader([], new()));
        Assert.Throws<InvalidInputException>(() => new DataLoader([source, source], new()));
        DataLoader loader = new([source], new() { Stages = [stage] });
        int[] eight = new int[8];
        Assert.Throws<ArgumentException>(() => loader.Next(new int[9], new int[9], new int[9]));
        Assert.Throws<ArgumentException>(() => loader.Next(eight, eight, new int[16]));
    }

    [Fact]
    public void ABatchTakesNoMemory()
    {
        DataLoader loader = new([Source("a", 300, 60), Source("b", 30, 700)], new() { Stages = [new() { ContextLength = 64 }, new() { From = 20_000, ContextLength = 32 }] });
        int[] tokens = new int[256], targets = new int[256], starts = new int[256];
        for (int n = 0; n < 60; n++)
            loader.Next(tokens, targets, starts);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int n = 0; n < 500; n++)
            loader.Next(tokens, targets, starts);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1, loader.Stage);
    }

    private DataSource Source(string name, int documents, int longest)
    {
        TokenShardOptions options = new() { ShardTokens = 1000 };
        _open.Add(_corpus.Build(_corpus.Write(name + ".jsonl", Corpus.Texts(documents, longest)), options, Path.Combine(_corpus.Root, name)).Shards);
        return new DataSource(name, _open[^1]);
    }

    private static List<(int Id, int Target, int Start)> Take(DataLoader loader, int rows)
    {
        int count = rows * loader.ContextLength;
        int[] tokens = new int[count], targets = new int[count], starts = new int[count];
        loader.Next(tokens, targets, starts);
        return [.. Enumerable.Range(0, count).Select(i => (tokens[i], targets[i], starts[i]))];
    }

    // Every token of the split with what follows it in its document.
    private static IEnumerable<(int, int)> Pairs(TokenShards shards, DataSplit split, double share)
    {
        HeldOut part = new(split, share);
        foreach (TokenShard shard in shards.Shards)
        {
            for (int i = 0; i < shard.Header.Documents; i++)
            {
                if (!part.Holds(ShardTable.Hash(shard.Table, i)))
                    continue;
                int[] ids = shards.ReadDocument(shard.Header.FirstDocument + i);
                for (int t = 0; t < ids.Length; t++)
                    yield return (ids[t], t + 1 < ids.Length ? ids[t + 1] : DataLoader.NoTarget);
            }
        }
    }

    // A stretch with one start begins there, foretells itself, and is no longer than a piece; only EOS has no target.
    private static void CheckStarts(List<(int Id, int Target, int Start)> stream, int context, int pieceLength)
    {
        for (int i = 0; i < stream.Count; i++)
        {
            int t = i % context;
            (int id, int target, int start) = stream[i];
            Assert.InRange(start, Math.Max(0, t - pieceLength + 1), t);
            if (start < t)
            {
                Assert.Equal(start, stream[i - 1].Start);
                Assert.Equal(id, stream[i - 1].Target);
            }

            Assert.Equal(id == Corpus.Tokenizer.EosId, target == DataLoader.NoTarget);
            if (t > 0 && stream[i - 1].Target == DataLoader.NoTarget)
                Assert.Equal(t, start);
        }
    }
}
