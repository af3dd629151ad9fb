using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class ForkTests
{
    // A tree of sequences that fork, go on, are cut back and end at random: each has the bits of its tokens alone.
    [Theory]
    [InlineData("llama", 0, 0, TensorType.F32)]
    [InlineData("llama", 0, 0, TensorType.I16)]
    [InlineData("llama", 9, 2, TensorType.I8)]
    [InlineData("gemma2", 0, 0, TensorType.F32)]
    [InlineData("minicpm3", 0, 0, TensorType.I16)]
    [InlineData("recurrent_gemma", 0, 0, TensorType.F32)]
    public void EveryForkHasTheBitsOfItsTokensAlone(string name, int window, int sinks, TensorType type)
    {
        using InferenceEngine engine = new(GoldenModel.Read(name).Open(), new InferenceEngineOptions { Window = window, Sinks = sinks, MaxRows = 16, CacheType = type });
        int most = Math.Min(engine.MaxPositions, 140);
        Random random = new(3);
        List<Branch> alive = [new(engine.CreateSequence(), [], 0)];
        int forks = 0, cuts = 0, compared = 0;
        for (int step = 0; step < 200; step++)
        {
            int at = random.Next(alive.Count);
            Branch branch = alive[at];
            // As far back as every block of this model can go.
            int back = branch.Sequence.CanRewind(0) ? 0 : branch.Sequence.CanRewind(branch.Settled) ? branch.Settled : branch.Tokens.Count, position = random.Next(back, branch.Tokens.Count + 1);
            if (random.Next(4) == 0 && alive.Count < 5)
            {
                alive.Add(new Branch(branch.Sequence.Fork(position), branch.Tokens[..position], position));
                forks++;
            }
            else if (random.Next(5) == 0)
            {
                branch.Sequence.Rewind(position);
                alive[at] = branch with { Tokens = branch.Tokens[..position] };
                cuts++;
            }
            else if (branch.Tokens.Count >= most - 16 || random.Next(8) == 0)
            {
                branch.Sequence.Dispose();
                alive.RemoveAt(at);
                if (alive.Count == 0)
                    alive.Add(new(engine.CreateSequence(), [], 0));
            }
            else
            {
                int[] more = [.. Enumerable.Range(0, random.Next(1, 17)).Select(_ => random.Next(engine.VocabularySize))];
                float[] logits = new float[more.Length * engine.VocabularySize];
                engine.Forward([new SequenceTokens(branch.Sequence, more, WantedLogits.All)], logits);
                alive[at] = branch with { Tokens = [.. branch.Tokens, .. more], Settled = branch.Tokens.Count };
                if (step % 3 == 0)
                {
                    Assert.Equal(EngineRun.Alone(engine, [.. alive[at].Tokens], 0, () => 16)[^logits.Length..], logits);
                    compared++;
                }
            }
        }

        Assert.True(forks > 5 && cuts > 5 && compared > 10);
        alive.ForEach(b => b.Sequence.Dispose());
        Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
    }

    [Fact]
    public void ASharedPromptIsHeldOnce()
    {
        Model model = GoldenModel.Read("llama").Open();
        using InferenceEngine engine = new(model);
        using InferenceSequence prompt = engine.CreateSequence();
        engine.Forward([new SequenceTokens(prompt, Enumerable.Repeat(1, engine.MaxPositions - 1).ToArray(), WantedLogits.None)], []);
        long one = engine.CacheBytes;
        InferenceSequence[] forks = [.. Enumerable.Range(0, 20).Select(_ => prompt.Fork())];
        Assert.Equal(one, engine.CacheBytes);
        Array.ForEach(forks, fork => fork.Dispose());
        Assert.Equal(one, engine.CacheBytes);
    }

    [Fact]
    public void WhatIsForgottenCannotBeForked()
    {
        using InferenceEngine recurrent = new(GoldenModel.Read("recurrent_gemma").Open()), windowed = new(GoldenModel.Read("llama").Open(), new InferenceEngineOptions { Window = 4, MaxRows = 8 });
        foreach (InferenceEngine engine in new[] { recurrent, windowed })
        {
            using InferenceSequence sequence = engine.CreateSequence();
            engine.Forward([new SequenceTokens(sequence, new[] { 1, 2, 3 }, WantedLogits.None)], []);
            engine.Forward([new SequenceTokens(sequence, new[] { 4, 5 }, WantedLogits.None)], []);
            Assert.Throws<InvalidOperationException>(() => sequence.Fork(2));
            Assert.Throws<InvalidOperationException>(() => sequence.Rewind(2));
            Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Fork(6));
            Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Fork(-1));
        }

        // Another length, other frequencies.
        using InferenceEngine scaled = new(GoldenModel.Read("qwen_ntk_logn").Open());
        using InferenceSequence planned = scaled.CreateSequence(4);
        Assert.Throws<InvalidOperationException>(() => planned.Fork(plannedLength: scaled.MaxPositions));
        Assert.Equal(0, recurrent.CacheBlocks + windowed.CacheBlocks);
    }

    // Bits do not depend on company or chunks in any type, and stay near those of single precision.
    [Theory]
    [InlineData("llama", TensorType.I16, 1e-3)]
    [InlineData("llama", TensorType.I8, 0.1)]
    [InlineData("gemma2", TensorType.I16, 1e-3)]
    [InlineData("gemma2", TensorType.I8, 0.1)]
    [InlineData("bloom", TensorType.I16, 1e-3)]
    [InlineData("minicpm3", TensorType.I8, 0.1)]
    public void NarrowCachesKeepToTheSameBitsHoweverTokensCome(string name, TensorType type, double bound)
    {
        Model model = GoldenModel.Read(name).Open();
        int[] tokens = GoldenModel.Read(name).Tokens;
        using InferenceEngine exact = new(model), engine = new(model, new InferenceEngineOptions { CacheType = type });
        Random random = new(1);
        float[] whole = EngineRun.Alone(engine, tokens, tokens.Length, () => tokens.Length), expected = EngineRun.Alone(exact, tokens, tokens.Length, () => tokens.Length);
        Assert.Equal(TensorType.F32, exact.CacheType);
        Assert.Equal(whole, EngineRun.Alone(engine, tokens, tokens.Length, () => 1));
        Assert.Equal(whole, EngineRun.Alone(engine, tokens, tokens.Length, () => random.Next(1, 8)));
        double scale = expected.Max(Math.Abs), worst = expected.Zip(whole, (e, w) => Math.Abs((double)e - w)).Max();
        Assert.True(worst > 0 && worst <= bound * scale, $"{name}: off by {worst:g3} of logits up to {scale:g3}");
        Assert.True(engine.CacheBytesPerPosition < exact.CacheBytesPerPosition);
    }

    private sealed record Branch(InferenceSequence Sequence, List<int> Tokens, int Settled);
}
