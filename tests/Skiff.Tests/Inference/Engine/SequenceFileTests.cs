using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class SequenceFileTests
{
    [Theory]
    [InlineData("llama", 0, 0, TensorType.F32)]
    [InlineData("llama", 9, 2, TensorType.F32)]
    [InlineData("llama", 1, 0, TensorType.I16)]
    [InlineData("gemma2", 0, 0, TensorType.F32)]
    [InlineData("mixtral", 0, 0, TensorType.I8)]
    [InlineData("minicpm3", 0, 0, TensorType.I16)]
    [InlineData("recurrent_gemma", 0, 0, TensorType.I8)]
    [InlineData("qwen_ntk_logn", 0, 0, TensorType.F32)]
    public void AnotherEngineGoesOnWithTheSameBits(string name, int window, int sinks, TensorType type)
    {
        Model model = GoldenModel.Read(name).Open();
        using TemporaryFolder folder = new();
        using InferenceEngine first = new(model, new InferenceEngineOptions { Window = window, Sinks = sinks, MaxRows = 4, CacheType = type });
        using InferenceEngine second = new(model, new InferenceEngineOptions { Window = window, Sinks = sinks, CacheType = type });
        int length = Math.Min(model.Config.MaxPositionEmbeddings, 100);
        Random random = new(2);
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.VocabSize))];
        float[] whole = EngineRun.Alone(second, tokens, length, () => length);
        foreach (int saved in new[] { 1, length / 2, length - 1 }.Where(s => s > 0))
        {
            string path = folder.File($"{saved}.sequence");
            using (InferenceSequence sequence = Filled(first, tokens.AsMemory(0, saved), length, 3))
                SequenceFile.Save(sequence, tokens.AsSpan(0, saved), path);
            // The bytes tell nothing of how it came about.
            using (InferenceSequence sequence = Filled(second, tokens.AsMemory(0, saved), length, saved))
                SequenceFile.Save(sequence, tokens.AsSpan(0, saved), folder.File("other.sequence"));
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(folder.File("other.sequence")));

            using InferenceSequence loaded = SequenceFile.Load(second, path, out int[] ids);
            Assert.Equal(tokens[..saved], ids);
            Assert.Equal(saved, loaded.Position);
            float[] logits = new float[(length - saved) * second.VocabularySize];
            second.Forward([new SequenceTokens(loaded, tokens.AsMemory(saved), WantedLogits.All)], logits);
            Assert.Equal(whole[(saved * second.VocabularySize)..], logits);
        }

        Assert.Equal(0, first.CacheBlocks + second.CacheBlocks);
    }

    [Fact]
    public void WhatIsDamagedOrAnothersIsRefusedInOneLineAndNothingIsLeftBehind()
    {
        Model model = GoldenModel.Read("recurrent_gemma").Open();
        using TemporaryFolder folder = new();
        using InferenceEngine engine = new(model), windowed = new(model, new InferenceEngineOptions { Window = 2 }), other = new(GoldenModel.Read("recurrent_gemma_dmwindow").Open());
        string path = folder.File("a.sequence"), damaged = folder.File("b.sequence");
        int[] tokens = [1, 2, 3, 4, 5];
        using (InferenceSequence sequence = Filled(engine, tokens, 0, 5))
            SequenceFile.Save(sequence, tokens, path);
        byte[] bytes = File.ReadAllBytes(path);
        Assert.Contains("model: it was saved with another", Refusal(other, path));
        Assert.Contains("model: it was saved with another", Refusal(windowed, path));
        using InferenceEngine narrow = new(model, new InferenceEngineOptions { CacheType = TensorType.I8 });
        Assert.Contains("cache type: it was not saved with keys and values in i8", Refusal(narrow, path));
        Assert.Contains("cannot be read", Refusal(engine, folder.File("none")));
        Assert.Contains("length", Damaged(bytes[..^1]));
        Assert.Contains("length", Damaged([.. bytes, 0]));
        Assert.Contains("length", Damaged([]));
        Assert.Contains("hash", Damaged([.. bytes[..^1], (byte)(bytes[^1] ^ 1)]));
        Assert.Contains("version", Damaged([.. bytes[..8], 1, .. bytes[9..]]));
        Assert.Contains("positions", Damaged([.. bytes[..12], 255, 255, 255, 255, .. bytes[16..]]));
        Random random = new(1);
        for (int i = 0; i < 400; i++)
        {
            byte[] changed = [.. bytes];
            int at = i < 100 ? i : random.Next(bytes.Length);
            changed[at] ^= (byte)random.Next(1, 256);
            Damaged(changed);
            if (i % 10 == 0)
                Damaged(bytes[..random.Next(bytes.Length)]);
        }

        Assert.Equal(0, engine.CacheBlocks + windowed.CacheBlocks + other.CacheBlocks);

        string Damaged(byte[] content)
        {
            File.WriteAllBytes(damaged, content);
            return Refusal(engine, damaged);
        }

        static string Refusal(InferenceEngine engine, string path)
        {
            string message = Assert.Throws<InvalidInputException>(() => SequenceFile.Load(engine, path, out _)).Message;
            Assert.DoesNotContain('\n', message);
            return message;
        }
    }

    [Fact]
    public void TokensMustBeTheSequences()
    {
        using TemporaryFolder folder = new();
        using InferenceEngine engine = new(GoldenModel.Read("llama").Open());
        using InferenceSequence sequence = engine.CreateSequence();
        Assert.Throws<ArgumentException>(() => SequenceFile.Save(sequence, [], folder.File("a")));
        engine.Forward([new SequenceTokens(sequence, new[] { 1 }, WantedLogits.None)], []);
        Assert.Throws<ArgumentException>(() => SequenceFile.Save(sequence, [1, 2], folder.File("a")));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static InferenceSequence Filled(InferenceEngine engine, ReadOnlyMemory<int> tokens, int plannedLength, int chunk)
    {
        InferenceSequence sequence = engine.CreateSequence(plannedLength);
        for (int start = 0; start < tokens.Length; start += chunk)
            engine.Forward([new SequenceTokens(sequence, tokens[start..Math.Min(tokens.Length, start + chunk)], WantedLogits.None)], []);
        return sequence;
    }
}
