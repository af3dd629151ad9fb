using System.Runtime.InteropServices;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class Llama2cWriterTests : IDisposable
{
    // The tables of RoPE, 512 positions by 4 pairs of cosine and of sine, end the file.
    private const int TableBytes = 2 * 512 * 4 * sizeof(float);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("stories260K.bin", "stories260K.v1.bin")]
    [InlineData("stories260K.v1.bin", "stories260K.bin")]
    public void ThePublishedFilesAreWrittenFromEachOther(string from, string to)
    {
        using Llama2cFile source = Llama2cFile.Open(Data.File("models", "stories260k", from));
        string path = _folder.File("a.bin");
        Llama2cWriter.Write(path, source.Header, 1 - source.Version, name => source.Tensors[name]);
        byte[] expected = File.ReadAllBytes(Data.File("models", "stories260k", to)), actual = File.ReadAllBytes(path);
        Assert.Equal(expected.Length, actual.Length);
        int tables = source.Version == 1 ? TableBytes : 0;
        Assert.True(expected.AsSpan(..^tables).SequenceEqual(actual.AsSpan(..^tables)));
        // The published tables were computed in single precision: angles up to 512 carry an error of 2e-5.
        ReadOnlySpan<float> published = MemoryMarshal.Cast<byte, float>(expected.AsSpan(^tables..)), ours = MemoryMarshal.Cast<byte, float>(actual.AsSpan(^tables..));
        for (int i = 0; i < ours.Length; i++)
            Assert.Equal(published[i], ours[i], 5e-5f);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void AnOutputHeadOfItsOwnSurvives(int version)
    {
        Llama2cHeader header = new(8, 12, 2, 4, 2, 5, 3, SharedClassifier: false);
        string path = _folder.File("a.bin");
        Llama2cWriter.Write(path, header, version, name => Filled(header, name, TensorType.BF16));
        using Llama2cFile file = Llama2cFile.Open(path);
        Assert.Equal((header, version), (file.Header, file.Version));
        Assert.Equal([5, 8], file.Tensors["wcls"].Shape);
        Assert.Equal(4f, file.Tensors["wcls"].Floats()[39]);
    }

    [Fact]
    public void ATensorOfAnotherShapeIsRefusedAndLeavesNothing()
    {
        string path = _folder.File("a.bin");
        Llama2cHeader header = new(8, 12, 2, 4, 2, 5, 3, SharedClassifier: true);
        string message = Assert.Throws<InvalidInputException>(() => Llama2cWriter.Write(path, header, 1, _ => Tensor.Allocate(TensorType.F32, 2, 8))).Message;
        Assert.Equal($"{path}: rms_final_weight: shape [2, 8] should be [8]", message);
        Assert.Throws<InvalidInputException>(() => Llama2cWriter.Write(path, header with { Heads = 3 }, 1, _ => Tensor.Allocate(TensorType.F32)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Llama2cWriter.Write(path, header, 2, _ => Tensor.Allocate(TensorType.F32)));
        Assert.Empty(_folder.Files);
    }

    private static Tensor Filled(Llama2cHeader header, string name, TensorType type)
    {
        TensorPlace place = Llama2cLayout.Of(header, 1, "x").Tensors.Single(t => t.Name == name);
        float[] values = new float[place.Length / sizeof(float)];
        Array.Fill(values, name.Length);
        return Tensor.FromFloats(values, place.Shape).ConvertTo(type);
    }
}
