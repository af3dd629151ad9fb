using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed unsafe class KvCacheTests
{
    [Fact]
    public void GrowingKeepsWhatIsThereAndEndsAtTheContext()
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(3, 5, 7);
        using KvCache cache = new(memory, shape);
        Assert.Equal((0L, 0), (cache.ByteLength, memory.Blocks));
        int position = 0;
        foreach (int positions in new[] { 1, 64, 65, 300, 301, 999, 1000 })
        {
            cache.Reserve(new CacheNeed(positions, position));
            for (; position < positions; position++)
                Write(cache.Near, position);
            for (int p = 0; p < positions; p++)
                Assert.True(Holds(cache.Near, p), $"position {p} of {positions}");
            Assert.Equal((cache.ByteLength, KeyValueTiles.TilesOf(positions)), (memory.Bytes, memory.Blocks));
        }

        Assert.Equal(16 * CacheMemory.BytesOf(shape), cache.ByteLength);
        cache.Dispose();
        cache.Dispose();
        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));
        Assert.Throws<ObjectDisposedException>(() => cache.Reserve(new CacheNeed(1, 0)));
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(50, 3, 1)]
    [InlineData(64, 70, 20)]
    [InlineData(130, 0, 64)]
    public void AWindowKeepsItsPositionsInMemoryThatDoesNotGrow(int window, int sinks, int rows)
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(2, 4, 6);
        using KvCache cache = new(memory, shape);
        long most = 0;
        for (int first = 0; first < 1000; first += rows)
        {
            cache.Reserve(new CacheNeed(first + rows, first, Math.Max(0, first - window + 1), 0, Math.Min(first, sinks), Math.Min(first + rows, sinks)));
            for (int p = first; p < first + rows; p++)
                Write(cache.Near, p);
            // All that any row of this pass sees.
            for (int p = Math.Max(0, first - window + 1); p < first + rows; p++)
                Assert.True(Holds(cache.Near, p), $"position {p} after {first + rows}");
            Assert.Equal(cache.ByteLength, memory.Bytes);
            most = Math.Max(most, memory.Bytes);
        }

        Assert.True(most <= CacheMemory.BytesOf(shape) * ((window + rows + 2 * 62) / 64 + KeyValueTiles.TilesOf(sinks)), $"{most}");
    }

    [Fact]
    public void AListTakesThePagesItNeedsAndItsEntriesStayAsItGrows()
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(2, 3, 5);
        using KvCache cache = new(memory, shape);
        int entries = 0;
        foreach (int end in new[] { 1, 2, 5, 16, 17, 24, 25, 60, 64, 65, 70, 200 })
        {
            cache.Reserve(new CacheNeed(0, 0, 0, 0, entries, end));
            for (; entries < end; entries++)
                Write(cache.Far, entries);
            for (int entry = 0; entry < end; entry++)
                Assert.True(Holds(cache.Far, entry), $"entry {entry} of {end}");
            long bytes = (end / 64) * CacheMemory.BytesOf(shape) + (end % 64 == 0 ? 0 : CacheMemory.BytesOf(shape, KeyValueTiles.LanesOf(end, end / 64)));
            Assert.Equal((bytes, bytes), (cache.ByteLength, memory.Bytes));
        }

        // 5 entries of 2 heads of 8 numbers, what is read behind them, and a border.
        Assert.Equal(5 * 2 * 8 * 4 + 256 + 64, CacheMemory.BytesOf(shape, 5));
        // The first 130 are seen no more.
        cache.Trim(new CacheNeed(0, 0, 0, 130, 200, 200));
        Assert.Equal(2, memory.Blocks);
        Assert.True(Holds(cache.Far, 130) && Holds(cache.Far, 199));
        cache.Dispose();
        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));
    }

    [Fact]
    public void WhatIsNearIsLetGoWhenNothingOfItIsSeen()
    {
        CacheMemory memory = new();
        using KvCache cache = new(memory, new KeyValueShape(1, 2, 3));
        cache.Reserve(new CacheNeed(100, 0));
        Assert.Equal(2, memory.Blocks);
        cache.Trim(new CacheNeed(100, 100, 99));
        Assert.Equal(1, memory.Blocks);
        cache.Trim(new CacheNeed(100, 100, 100));
        Assert.Equal(0, memory.Blocks);
        // Position 100 lies in the middle of the page that is taken anew.
        cache.Reserve(new CacheNeed(101, 100, 100));
        Assert.Equal(1, memory.Blocks);
    }

    [Theory]
    [InlineData(40, 0)]
    [InlineData(40, 3)]
    [InlineData(7, 70)]
    public void AnEnginesWindowIsTheModelsOwnAndSinksAreSeenBesideIt(int window, int sinks)
    {
        // A model with a longer context, so that the window's cache turns round.
        Model model = Long(GoldenModel.Read("llama").Open());
        Random random = new(3);
        int[] tokens = [.. Enumerable.Range(0, 400).Select(_ => random.Next(model.Config.VocabSize))];
        using InferenceEngine engine = new(model, new InferenceEngineOptions { Window = window, Sinks = sinks, MaxRows = 32 });
        using InferenceEngine wide = new(model, new InferenceEngineOptions { Window = window, Sinks = sinks, MaxRows = 1024 });
        float[] logits = EngineRun.Alone(engine, tokens, 0, () => random.Next(1, 33));
        // The second holds the whole context: the same bits from a cache that never turns.
        Assert.Equal(EngineRun.Alone(wide, tokens, 0, () => 400), logits);
        using InferenceEngine full = new(model);
        using InferenceSequence sequence = engine.CreateSequence(1000), all = full.CreateSequence(1000);
        for (int start = 0; start < 992; start += 32)
            engine.Forward([new SequenceTokens(sequence, Enumerable.Repeat(1, 32).ToArray(), WantedLogits.None)], []);
        Assert.True(4 * sequence.ByteLength <= all.ByteLength, $"{sequence.ByteLength} of {all.ByteLength}");
        if (sinks > 0)
            return;
        ModelConfig windowed = model.Config with { Layers = [.. model.Config.Layers.Select(layer => layer with { SlidingWindow = window })] };
        Decoder decoder = new(windowed, model.Parameter);
        float[] expected = new float[logits.Length];
        decoder.Forward(decoder.CreateState(), tokens, expected);
        Assert.True(expected.Zip(logits, (e, l) => Math.Abs(e - l)).Max() <= 1e-5 * Math.Max(1, expected.Max(Math.Abs)));
    }

    [Fact]
    public void AThousandSequencesLeaveNothingBehind()
    {
        using InferenceEngine engine = new(GoldenModel.Read("recurrent_gemma").Open());
        Random random = new(4);
        List<InferenceSequence> alive = [];
        for (int i = 0; i < 1000; i++)
        {
            alive.Add(engine.CreateSequence(random.Next(3) == 0 ? 10 : 0));
            if (random.Next(2) == 0)
                engine.Forward([new SequenceTokens(alive[^1], new[] { 1, 2 }, WantedLogits.None)], []);
            Assert.Equal(engine.CacheBytes, alive.Sum(sequence => sequence.ByteLength));
            while (alive.Count > random.Next(8))
            {
                int at = random.Next(alive.Count);
                alive[at].Dispose();
                alive.RemoveAt(at);
            }
        }

        alive.ForEach(sequence => sequence.Dispose());
        Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
    }

    // A family of forks, each of which writes what it likes: none sees another's positions, or another's list.
    [Fact]
    public void ForksShareWhatIsWrittenAndNothingElse()
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(1, 2, 3);
        Random random = new(1);
        List<(KvCache Cache, List<int> Near, List<int> Far)> alive = [(new KvCache(memory, shape), [], [])];
        for (int step = 0; step < 600; step++)
        {
            int at = random.Next(alive.Count);
            (KvCache cache, List<int> near, List<int> far) = alive[at];
            if (random.Next(4) == 0 && alive.Count < 6)
            {
                int position = random.Next(near.Count + 1), entries = random.Next(far.Count + 1);
                KvCache fork = new(memory, shape);
                fork.Share(cache, position);
                alive.Add((fork, near[..position], far[..entries]));
            }
            else if ((random.Next(8) == 0 && alive.Count > 1) || near.Count > 600)
            {
                cache.Dispose();
                alive[at] = (new KvCache(memory, shape), [], []);
            }
            else
            {
                int first = near.Count, count = random.Next(1, 41), entries = far.Count, more = random.Next(9);
                cache.Reserve(new CacheNeed(first + count, first, 0, 0, entries, entries + more));
                for (int p = first; p < first + count; p++)
                {
                    near.Add(random.Next(1000));
                    Put(cache.Near, p, near[p]);
                }

                for (int e = entries; e < entries + more; e++)
                {
                    far.Add(random.Next(1000));
                    Put(cache.Far, e, far[e]);
                }
            }

            foreach ((KvCache each, List<int> values, List<int> list) in alive)
            {
                for (int p = 0; p < values.Count; p++)
                    Assert.Equal((values[p], values[p]), Get(each.Near, p));
                for (int e = 0; e < list.Count; e++)
                    Assert.Equal((list[e], list[e]), Get(each.Far, e));
            }
        }

        alive.ForEach(a => a.Cache.Dispose());
        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));

        static void Put(KeyValueTiles tiles, int at, float value)
        {
            ((float*)tiles[at / 64].Key(0))[at % 64] = value;
            ((float*)tiles[at / 64].Value(0))[at % 64 * 3 + 2] = value;
        }

        static (float, float) Get(KeyValueTiles tiles, int at) => (((float*)tiles[at / 64].Key(0))[at % 64], ((float*)tiles[at / 64].Value(0))[at % 64 * 3 + 2]);
    }

    [Fact]
    public void AForkTakesNoPageUntilItWrites()
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(1, 2, 3);
        using KvCache first = new(memory, shape), second = new(memory, shape);
        first.Reserve(new CacheNeed(300, 0));
        Assert.Equal(5, memory.Blocks);
        second.Share(first, 300);
        Assert.Equal((5, first.ByteLength), (memory.Blocks, second.ByteLength));
        // Position 300 lies in the fifth page.
        second.Reserve(new CacheNeed(301, 300));
        Assert.Equal(6, memory.Blocks);
        first.Dispose();
        Assert.Equal(5, memory.Blocks);
    }

    [Fact]
    public void WhatNobodyGaveBackIsFreedInTheEnd()
    {
        CacheMemory memory = new();
        Leave(memory);
        for (int i = 0; i < 10 && memory.Blocks > 0; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Leave(CacheMemory memory) => new KvCache(memory, new KeyValueShape(1, 2, 3)).Reserve(new CacheNeed(300, 0));
    }

    private static Model Long(Model model)
    {
        ModelConfig config = model.Config.With(new Dictionary<string, JsonNode?> { ["max_position_embeddings"] = 1000 });
        return new Model("long", config, model.Parameter, model.TypeOf, () => null, TensorType.F32);
    }

    private static void Write(KeyValueTiles tiles, int position) => Visit(tiles, position, (number, expected) => *number = expected);

    private static bool Holds(KeyValueTiles tiles, int position)
    {
        bool holds = true;
        Visit(tiles, position, (number, expected) => holds &= *number == expected);
        return holds;
    }

    private static void Visit(KeyValueTiles tiles, int at, Visitor visit)
    {
        KeyValueTile tile = tiles[at / 64];
        for (int head = 0; head < tiles.Shape.Heads; head++)
        {
            for (int i = 0; i < tiles.Shape.HeadDim; i++)
                visit((float*)tile.Key(head) + i * tile.Lanes + at % 64, at * 100 + head * 10 + i);
            for (int i = 0; i < tiles.Shape.ValueDim; i++)
                visit((float*)tile.Value(head) + at % 64 * tiles.Shape.ValueDim + i, -(at * 100 + head * 10 + i));
        }
    }

    private delegate void Visitor(float* number, float expected);
}
