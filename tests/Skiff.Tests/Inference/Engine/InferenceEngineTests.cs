using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class InferenceEngineTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Families))]
    public void LogitsAreThePlainDecodersHoweverTokensCome(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        Model model = golden.Open();
        int[] tokens = golden.Tokens;
        using InferenceEngine engine = new(model);
        float[] whole = EngineRun.Alone(engine, tokens, tokens.Length, () => tokens.Length);
        Decoder decoder = new(model);
        float[] expected = new float[whole.Length];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, expected);
        double scale = Math.Max(1, expected.Max(Math.Abs)), worst = expected.Zip(whole, (e, w) => Math.Abs((double)e - w)).Max();
        Assert.True(worst <= 1e-5 * scale, $"{name}: off by {worst:g3} of logits up to {scale:g3}");

        Random random = new(1);
        Assert.Equal(whole, EngineRun.Alone(engine, tokens, tokens.Length, () => 1));
        Assert.Equal(whole, EngineRun.Alone(engine, tokens, tokens.Length, () => random.Next(1, 8)));
        Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void ASequenceHasTheSameBitsAloneAndInAnyCompany(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        int most = Math.Min(90, model.Config.MaxPositionEmbeddings);
        Random random = new(7);
        int[][] tokens = [.. Enumerable.Range(0, 5).Select(_ => Enumerable.Range(0, random.Next(1, most + 1)).Select(_ => random.Next(model.Config.VocabSize)).ToArray())];
        // Some plans differ from others', so frequencies may too.
        int[] planned = [.. tokens.Select((t, i) => i % 2 == 0 ? t.Length : 0)];
        using ThreadTeam one = new(1), three = new(3);
        using InferenceEngine engine = new(model, new InferenceEngineOptions { Team = three, MaxRows = 24 });
        using InferenceEngine single = new(model, new InferenceEngineOptions { Team = one });
        float[][] together = EngineRun.Together(engine, tokens, planned, random);
        Assert.Equal((0, 0L), (engine.CacheBlocks, engine.CacheBytes));
        for (int i = 0; i < tokens.Length; i++)
            Assert.Equal(EngineRun.Alone(single, tokens[i], planned[i], () => int.MaxValue), together[i]);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void RowsHaveTheSameBitsWhicheverAreWanted(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        int length = Math.Min(40, model.Config.MaxPositionEmbeddings), vocabulary = model.Config.VocabSize;
        Random random = new(11);
        int[][] tokens = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(vocabulary)).ToArray())];
        using InferenceEngine engine = new(model);
        float[][] all = [.. tokens.Select(t => EngineRun.Alone(engine, t, length, () => int.MaxValue))];
        InferenceSequence[] sequences = [.. tokens.Select(_ => engine.CreateSequence(length))];
        while (sequences.Any(sequence => sequence.Position < length))
        {
            List<SequenceTokens> batch = [];
            List<float> expected = [];
            foreach (int i in Enumerable.Range(0, sequences.Length).Where(i => sequences[i].Position < length).OrderBy(_ => random.Next()))
            {
                int start = sequences[i].Position, count = random.Next(1, Math.Min(9, length - start + 1));
                SequenceTokens entry = new(sequences[i], tokens[i].AsMemory(start, count), (WantedLogits)random.Next(3));
                batch.Add(entry);
                expected.AddRange(all[i].AsSpan((start + count - entry.LogitRows) * vocabulary, entry.LogitRows * vocabulary));
            }

            float[] logits = new float[expected.Count];
            engine.Forward([.. batch], logits);
            Assert.Equal(expected, logits);
        }

        foreach (InferenceSequence sequence in sequences)
            sequence.Dispose();
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gemma2")]
    [InlineData("mixtral")]
    [InlineData("minicpm3")]
    [InlineData("recurrent_gemma")]
    [InlineData("stablelm_parallel_qkln")]
    [InlineData("phi_qknorm_gqa")]
    [InlineData("opt_350m_style")]
    [InlineData("bloom")]
    public void APassAllocatesNothingInSteadyState(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        using ThreadTeam alone = new(1);
        using InferenceEngine engine = new(model, new InferenceEngineOptions { Team = alone });
        int length = Math.Min(32, engine.MaxPositions);
        using InferenceSequence first = engine.CreateSequence(length), second = engine.CreateSequence(length);
        float[] logits = new float[2 * engine.VocabularySize];
        int[] tokens = [1, 2, 3, 4];
        SequenceTokens[] batch = [new(first, tokens.AsMemory(0, 1)), new(second, tokens)];
        engine.Forward(batch, logits);
        batch[1] = new SequenceTokens(second, tokens.AsMemory(2, 1));
        engine.Forward(batch, logits);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < length - 8; i++)
            engine.Forward(batch, logits);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void WhatCannotBeDoneIsRefusedAndChangesNothing()
    {
        Model model = GoldenModel.Read("llama").Open();
        using InferenceEngine engine = new(model, new InferenceEngineOptions { MaxRows = 8 }), other = new(model);
        using InferenceSequence sequence = engine.CreateSequence();
        float[] logits = new float[engine.VocabularySize];
        int[] tokens = [1, 2, 3];
        InferenceSequence foreign = other.CreateSequence();
        Assert.Throws<ArgumentException>(() => engine.Forward([new(foreign, tokens)], logits));
        Assert.Throws<ArgumentException>(() => engine.Forward([new(sequence, tokens), new(sequence, tokens)], new float[2 * logits.Length]));
        Assert.Throws<ArgumentException>(() => engine.Forward([new(sequence, ReadOnlyMemory<int>.Empty)], logits));
        Assert.Throws<ArgumentException>(() => engine.Forward([new(sequence, new int[9])], logits));
        Assert.Throws<ArgumentException>(() => engine.Forward([new(sequence, tokens, WantedLogits.All)], logits));
        Assert.Contains("outside the vocabulary", Assert.Throws<InvalidInputException>(() => engine.Forward([new(sequence, new int[] { 1, engine.VocabularySize })], logits)).Message);
        foreign.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Forward([new(foreign, tokens)], logits));
        Assert.Equal(0, sequence.Position);
        for (int i = 0; i < engine.MaxPositions; i++)
            engine.Forward([new(sequence, tokens.AsMemory(i % 3, 1), WantedLogits.None)], []);
        Assert.Contains("context of", Assert.Throws<InvalidInputException>(() => engine.Forward([new(sequence, tokens)], logits)).Message);
        Assert.Equal(engine.MaxPositions, sequence.Position);
        Assert.Throws<InvalidInputException>(() => new InferenceEngine(model, new InferenceEngineOptions { MaxRows = 0 }));
        Assert.Throws<InvalidInputException>(() => new InferenceEngine(model, new InferenceEngineOptions { Window = -1 }));
        Assert.Throws<InvalidInputException>(() => new InferenceEngine(model, new InferenceEngineOptions { Sinks = 4 }));
    }

    [Fact]
    public void ProgressTellsEveryMatrixOnce()
    {
        foreach (string name in new[] { "llama", "mixtral", "opt_350m_style", "minicpm3", "recurrent_gemma", "mobilellm_layer_sharing" })
        {
            List<(int Done, int All)> told = [];
            using InferenceEngine engine = new(GoldenModel.Read(name).Open(), new InferenceEngineOptions { Progress = (done, all) => told.Add((done, all)) });
            Assert.Equal(Enumerable.Range(1, told[0].All).Select(done => (done, told[0].All)), told);
        }
    }
}
