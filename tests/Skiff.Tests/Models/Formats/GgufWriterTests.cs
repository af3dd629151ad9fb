using CsCheck;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class GgufWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnyTensorsSurviveTheRoundTrip() => RandomTensors.Entries(type => type is not (TensorType.U8 or TensorType.Bool)).Sample(
        entries =>
        {
            GgufWriter.Write(_folder.File("a.gguf"), new GgufMetadata { { "n", entries.Count } }, entries);
            using GgufFile file = GgufFile.Open(_folder.File("a.gguf"));
            return RandomTensors.Same(entries, file.Tensors) && file.Metadata.Int("n") == entries.Count;
        },
        iter: 100,
        threads: 1);

    [Fact]
    public void EveryKindOfValueSurvivesTheRoundTrip()
    {
        GgufMetadata metadata = new()
        {
            { "u8", byte.MaxValue }, { "i8", sbyte.MinValue }, { "u16", ushort.MaxValue }, { "i16", short.MinValue }, { "u32", uint.MaxValue }, { "i32", int.MinValue },
            { "u64", ulong.MaxValue }, { "i64", long.MinValue }, { "f32", 1.1f }, { "f64", 1.1 }, { "true", true }, { "false", false }, { "text", "é\0\n" }, { "empty", "" },
            { "bytes", new byte[] { 1, 2 } }, { "bools", new[] { true, false } }, { "floats", new[] { float.NaN, -0f } }, { "texts", new[] { "", "▁a" } },
            { "none", Array.Empty<string>() }, { "nested", new Array[] { new[] { 1, 2 }, Array.Empty<Array>(), new Array[] { new[] { "x" } } } },
        };
        GgufWriter.Write(_folder.File("a.gguf"), metadata, []);
        using GgufFile file = GgufFile.Open(_folder.File("a.gguf"));
        Assert.Equal(3, file.Version);
        Assert.Equal(metadata.Select(pair => pair.Key), file.Metadata.Select(pair => pair.Key));
        foreach ((string key, object value) in metadata)
        {
            Assert.Equal(value.GetType(), file.Metadata[key].GetType());
            Assert.Equal(value, file.Metadata[key]);
        }
    }

    [Fact]
    public void APublishedFileIsWrittenBackByteForByte()
    {
        string published = Data.File("tokenizers", "gguf", "ggml-vocab-gpt-2.gguf");
        using GgufFile file = GgufFile.Open(published);
        GgufWriter.Write(_folder.File("a.gguf"), file.Metadata, []);
        Assert.True(File.ReadAllBytes(published).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("a.gguf"))));
    }

    [Fact]
    public void WhatTheFormatCannotHoldIsRefusedAndLeavesNothing()
    {
        string path = _folder.File("a.gguf");
        Assert.Equal($"{path}: a: gguf cannot hold bool", Refusal([], TensorType.Bool, 1));
        Assert.Equal($"{path}: a: 5 dimensions; gguf holds at most 4", Refusal([], TensorType.F32, 1, 1, 1, 1, 1));
        Assert.Equal($"{path}: a: rows of 33 values do not fill q8_0 blocks of 32", Refusal([], TensorType.Q8_0, 33));
        Assert.Equal($"{path}: general.alignment: files are written with an alignment of 32, not 64; drop the key", Refusal(new() { { "general.alignment", 64 } }, TensorType.F32, 1));
        Assert.Equal($"{path}: metadata: a text holds half a surrogate pair, which has no UTF-8", Refusal(new() { { "a", "\ud800" } }, TensorType.F32, 1));
        TensorEntry entry = TensorEntry.Of("a", Tensor.Allocate(TensorType.F32, 1));
        Assert.Equal($"{path}: a: tensor names must be there and differ", Assert.Throws<InvalidInputException>(() => GgufWriter.Write(path, [], [entry, entry])).Message);
        Assert.Throws<ArgumentException>(() => new GgufMetadata { { "a", new Array[] { new DateTime[1] } } });
        Assert.Throws<ArgumentException>(() => new GgufMetadata { { "a", new string[1] } });
        Assert.Empty(_folder.Files);

        string Refusal(GgufMetadata metadata, TensorType type, params long[] shape) => Assert.Throws<InvalidInputException>(
            () => GgufWriter.Write(path, metadata, [new TensorEntry("a", type, shape, () => Tensor.Allocate(type, shape))])).Message;
    }
}
