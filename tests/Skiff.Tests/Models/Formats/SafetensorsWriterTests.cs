using CsCheck;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnyTensorsSurviveTheRoundTrip() => RandomTensors.Entries(type => !type.IsQuantized()).Sample(
        entries =>
        {
            string path = _folder.File("a.safetensors");
            SafetensorsWriter.Write(path, entries, new Dictionary<string, string> { ["format"] = "pt", ["k\"é"] = "" });
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return RandomTensors.Same(entries, file.Tensors) && file.Metadata["format"] == "pt" && file.Metadata["k\"é"].Length == 0;
        },
        iter: 100,
        threads: 1);

    [Fact]
    public void AnyTensorsSurviveShardsOfAnySize() => Gen.Select(RandomTensors.Entries(type => !type.IsQuantized()), Gen.Long[1, 2000]).Sample(
        (entries, shardBytes) =>
        {
            SafetensorsWriter.WriteFolder(_folder.Path, entries, shardBytes: shardBytes);
            using SafetensorsFile file = SafetensorsFile.Open(_folder.Path);
            return RandomTensors.Same(entries, file.Tensors) && file.Metadata["format"] == "pt";
        },
        iter: 100,
        threads: 1);

    [Fact]
    public unsafe void NumbersLieOnTheirBorders()
    {
        string path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [Entry("bytes", TensorType.U8, 3), Entry("halves", TensorType.F16, 3), Entry("doubles", TensorType.F64, 1)]);
        SafetensorsHeader header = SafetensorsHeader.Parse(File.ReadAllBytes(path), new FileInfo(path).Length, path);
        Assert.Equal(["doubles", "halves", "bytes"], header.Tensors.Select(t => t.Name));
        Assert.All(header.Tensors, t => Assert.Equal(0, t.Start % t.Type.BlockBytes()));
    }

    [Fact]
    public void ShardsAreNamedAsHuggingFaceDoesAndOldWeightsGo()
    {
        TensorEntry[] entries = [Entry("a", TensorType.U8, 6), Entry("b", TensorType.U8, 4), Entry("c", TensorType.U8, 5)];
        SafetensorsWriter.WriteFolder(_folder.Path, entries);
        Assert.Equal(["model.safetensors"], _folder.Files);
        _folder.Write("model-notes-of-today.safetensors", []);
        SafetensorsWriter.WriteFolder(_folder.Path, entries, shardBytes: 10);
        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model-notes-of-today.safetensors", "model.safetensors.index.json"], _folder.Files);
        Assert.Equal(
            "{\n  \"metadata\": {\n    \"total_size\": 15\n  },\n  \"weight_map\": {\n    \"a\": \"model-00001-of-00002.safetensors\",\n    \"b\": \"model-00001-of-00002.safetensors\",\n    \"c\": \"model-00002-of-00002.safetensors\"\n  }\n}",
            File.ReadAllText(_folder.File("model.safetensors.index.json")));
        SafetensorsWriter.WriteFolder(_folder.Path, entries, shardBytes: 6);
        Assert.Equal(["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model-notes-of-today.safetensors", "model.safetensors.index.json"], _folder.Files);
        SafetensorsWriter.WriteFolder(_folder.Path, entries, shardBytes: 15);
        Assert.Equal(["model-notes-of-today.safetensors", "model.safetensors"], _folder.Files);
    }

    [Fact]
    public void WhatTheFormatCannotHoldIsRefusedAndLeavesNothing()
    {
        string path = _folder.File("a.safetensors");
        Assert.Equal($"{path}: q: safetensors cannot hold q4_k; write gguf, or convert to bf16", Refusal([Entry("q", TensorType.Q4_K, 256)]));
        Assert.Equal($"{path}: a: a tensor of this name cannot be written twice, nor one named __metadata__", Refusal([Entry("a", TensorType.U8, 1), Entry("a", TensorType.U8, 1)]));
        Assert.Equal($"{path}: __metadata__: a tensor of this name cannot be written twice, nor one named __metadata__", Refusal([Entry("__metadata__", TensorType.U8, 1)]));
        TensorEntry liar = new("a", TensorType.U8, [2], () => Tensor.Allocate(TensorType.U8, 3));
        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(path, [liar]));
        Assert.Empty(_folder.Files);

        string Refusal(TensorEntry[] entries) => Assert.Throws<InvalidInputException>(() => SafetensorsWriter.Write(path, entries)).Message;
    }

    private static TensorEntry Entry(string name, TensorType type, long count) => TensorEntry.Of(name, Tensor.Allocate(type, count));
}
