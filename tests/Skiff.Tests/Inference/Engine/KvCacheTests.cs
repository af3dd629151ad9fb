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
        using FullCache cache = new(memory, shape, 1000);
        Assert.Equal((0L, 0), (cache.ByteLength, memory.Blocks));
        int position = 0;
        foreach (int positions in new[] { 1, 64, 65, 300, 301, 999, 1000 })
        {
            cache.Reserve(positions, position);
            for (; position < positions; position++)
                Write(cache.Tiles, position);
            for (int p = 0; p < positions; p++)
                Assert.True(Holds(cache.Tiles, p), $"position {p} of {positions}");
            Assert.Equal((cache.ByteLength, KeyValueTiles.TilesOf(positions)), (memory.Bytes, memory.Blocks));
        }

        Assert.Equal(cache.MostBytes, cache.ByteLength);
        Assert.Equal(16 * CacheMemory.BytesOf(shape), cache.MostBytes);
        cache.Dispose();
        cache.Dispose();
        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));
        Assert.Throws<ObjectDisposedException>(() => cache.Reserve(1, 0));
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(50, 3, 1)]
    [InlineData(64, 70, 20)]
    [InlineData(130, 0, 64)]
    public void AWindowKeepsItsPositionsAndTheSinksInMemoryThatDoesNotGrow(int window, int sinks, int rows)
    {
        CacheMemory memory = new();
        using WindowCache cache = new(memory, new KeyValueShape(2, 4, 6), window, sinks, rows);
        for (int first = 0; first < 1000; first += rows)
        {
            cache.Reserve(first + rows, first);
            for (int p = first; p < first + rows; p++)
                Write(cache.Tiles, p);
            // All that any row of this pass sees.
            for (int p = Math.Max(0, first - window + 1); p < first + rows; p++)
                Assert.True(Holds(cache.Tiles, p), $"position {p} after {first + rows}");
            for (int p = 0; p < Math.Min(sinks, first + rows); p++)
                Assert.True(Holds(cache.Tiles, p), $"sink {p} after {first + rows}");
        }

        Assert.Equal(cache.MostBytes, memory.Bytes);
        Assert.True(cache.MostBytes < (window + sinks + rows + 5 * 64) * 2 * 10 * sizeof(float));
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
        using InferenceSequence sequence = engine.CreateSequence(1000), all = wide.CreateSequence(1000);
        Assert.True(sequence.ByteLength < all.ByteLength);
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

    // A family of forks, each of which writes what it likes: none sees another's positions.
    [Theory]
    [InlineData(0, 0)]
    [InlineData(100, 0)]
    [InlineData(100, 70)]
    public void ForksShareWhatIsWrittenAndNothingElse(int window, int sinks)
    {
        const int rows = 40;
        CacheMemory memory = new();
        KeyValueShape shape = new(1, 2, 3);
        Random random = new(window + sinks);
        List<(KvCache Cache, List<int> Written)> alive = [(New(), [])];
        for (int step = 0; step < 600; step++)
        {
            int at = random.Next(alive.Count);
            (KvCache cache, List<int> written) = alive[at];
            if (random.Next(4) == 0 && alive.Count < 6)
            {
                int position = window == 0 ? random.Next(written.Count + 1) : written.Count;
                KvCache fork = New();
                fork.Share(cache, position);
                alive.Add((fork, written[..position]));
            }
            else if (random.Next(8) == 0 && alive.Count > 1 || written.Count > 600)
            {
                cache.Dispose();
                alive[at] = (New(), []);
            }
            else
            {
                int first = written.Count, count = random.Next(1, rows + 1);
                cache.Reserve(first + count, first);
                for (int p = first; p < first + count; p++)
                {
                    written.Add(random.Next(1000));
                    ((float*)cache.Tiles.Key(0, p / 64))[p % 64] = written[p];
                    ((float*)cache.Tiles.Value(0, p / 64))[p % 64 * 3 + 2] = written[p];
                }
            }

            foreach ((KvCache each, List<int> values) in alive)
            {
                for (int p = 0; p < values.Count; p++)
                {
                    if (p >= sinks && window > 0 && p <= values.Count - window)
                        continue;
                    Assert.Equal(values[p], ((float*)each.Tiles.Key(0, p / 64))[p % 64]);
                    Assert.Equal(values[p], ((float*)each.Tiles.Value(0, p / 64))[p % 64 * 3 + 2]);
                }
            }
        }

        alive.ForEach(a => a.Cache.Dispose());
        Assert.Equal((0L, 0), (memory.Bytes, memory.Blocks));

        KvCache New() => window == 0 ? new FullCache(memory, shape, 1000) : new WindowCache(memory, shape, window, sinks, rows);
    }

    [Fact]
    public void AForkTakesNoPageUntilItWrites()
    {
        CacheMemory memory = new();
        KeyValueShape shape = new(1, 2, 3);
        using FullCache first = new(memory, shape, 1000), second = new(memory, shape, 1000);
        first.Reserve(300, 0);
        Assert.Equal(5, memory.Blocks);
        second.Share(first, 300);
        Assert.Equal((5, first.ByteLength), (memory.Blocks, second.ByteLength));
        // Position 300 lies in the fifth page.
        second.Reserve(301, 300);
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
        static void Leave(CacheMemory memory) => new FullCache(memory, new KeyValueShape(1, 2, 3), 1000).Reserve(300, 0);
    }

    private static Model Long(Model model)
    {
        ModelConfig config = model.Config.With(new Dictionary<string, JsonNode?> { ["max_position_embeddings"] = 1000 });
        return new Model("long", config, model.Parameter, model.TypeOf, () => null, TensorType.F32);
    }

    private static void Write(KeyValueTiles tiles, int position)
    {
        for (int head = 0; head < tiles.Shape.Heads; head++)
        {
            for (int i = 0; i < tiles.Shape.HeadDim; i++)
                ((float*)tiles.Key(head, position / 64))[i * 64 + position % 64] = position * 100 + head * 10 + i;
            for (int i = 0; i < tiles.Shape.ValueDim; i++)
                ((float*)tiles.Value(head, position / 64))[position % 64 * tiles.Shape.ValueDim + i] = -(position * 100 + head * 10 + i);
        }
    }

    private static bool Holds(KeyValueTiles tiles, int position)
    {
        for (int head = 0; head < tiles.Shape.Heads; head++)
        {
            for (int i = 0; i < tiles.Shape.HeadDim; i++)
            {
                if (((float*)tiles.Key(head, position / 64))[i * 64 + position % 64] != position * 100 + head * 10 + i)
                    return false;
            }

            for (int i = 0; i < tiles.Shape.ValueDim; i++)
            {
                if (((float*)tiles.Value(head, position / 64))[position % 64 * tiles.Shape.ValueDim + i] != -(position * 100 + head * 10 + i))
                    return false;
            }
        }

        return true;
    }
}
