using System.Runtime.InteropServices;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models;

public sealed class Llama2cFileTests
{
    private static readonly string[] Names =
        ["token_embedding_table", "rms_att_weight", "wq", "wk", "wv", "wo", "rms_ffn_weight", "w1", "w2", "w3", "rms_final_weight"];

    [Fact]
    public void BothVersionsOfStories260KHoldTheSameNumbers()
    {
        using Llama2cFile v0 = Llama2cFile.Open(Data.File("models", "stories260k", "stories260K.bin"));
        using Llama2cFile v1 = Llama2cFile.Open(Data.File("models", "stories260k", "stories260K.v1.bin"));
        Assert.Equal(new Llama2cHeader(64, 172, 5, 8, 4, 512, 512, true), v0.Header);
        Assert.Equal(v0.Header, v1.Header);
        Assert.Equal((0, 1), (v0.Version, v1.Version));
        Assert.Equal([5, 32, 64], v0.Tensors["wk"].Shape);
        Assert.Equal(Names.Order(), v1.Tensors.Keys.Order());
        foreach (string name in Names)
        {
            Assert.Equal(v0.Tensors[name].Shape, v1.Tensors[name].Shape);
            Assert.True(v0.Tensors[name].Bytes().SequenceEqual(v1.Tensors[name].Bytes()), name);
        }
    }

    [Fact]
    public void HeadersThatDoNotFitAreRefusedByName()
    {
        int[] good = [8, 12, 2, 4, 2, 5, 3];
        Assert.Equal("x: length: the header calls for 4212 bytes, the file has 28: not a llama2.c checkpoint, or cut short", Refusal(Bytes(good)));
        Assert.Equal("x: dim: 0 is not within 1 and 268435456: not a llama2.c checkpoint", Refusal(Bytes([0, 12, 2, 4, 2, 5, 3])));
        Assert.Equal("x: n_layers: -2 is not within 1 and 268435456: not a llama2.c checkpoint", Refusal(Bytes([8, 12, -2, 4, 2, 5, 3])));
        Assert.Equal("x: n_heads: 3 heads do not divide dim 8 into even sizes", Refusal(Bytes([8, 12, 2, 3, 3, 5, 3])));
        Assert.Equal("x: n_kv_heads: 3 do not divide 4 heads", Refusal(Bytes([8, 12, 2, 4, 3, 5, 3])));
        Assert.Equal("x: vocab_size: -2147483648 is out of range: not a llama2.c checkpoint", Refusal(Bytes([8, 12, 2, 4, 2, int.MinValue, 3])));
        Assert.Equal("x: wq: shape [268435456, 268435456, 268435456] holds more than 2^63 bytes", Refusal(Bytes([1 << 28, 1, 1 << 28, 1, 1, 1, 1])));
        Assert.Equal("x: header: a file of 3 bytes is too short for a llama2.c checkpoint", Refusal([1, 2, 3]));
        Assert.Equal("x: version: 2 (int8 quantized) is not supported; export version 0 or 1 (float32)", Refusal(Versioned(2, good, 0)));
        Assert.Equal("x: version: 7 is not supported, only 0 (legacy) and 1", Refusal(Versioned(7, good, 0)));
        Assert.Equal("x: shared_classifier: must be 0 or 1, not 2", Refusal(Versioned(1, good, 2)));
        Assert.Equal("x: header: the file is cut short", Refusal(Versioned(1, good, 1)[..255]));
        Assert.Equal("x: length: the header calls for 4416 bytes, the file has 256: not a llama2.c checkpoint, or cut short", Refusal(Versioned(1, good, 1)));
    }

    [Fact]
    public void MutatedHeadersNeverCrash()
    {
        byte[] legacy = new byte[4212];
        Bytes([8, 12, 2, 4, 2, 5, 3]).CopyTo(legacy, 0);
        byte[] versioned = new byte[4416];
        Versioned(1, [8, 12, 2, 4, 2, 5, 3], 1).CopyTo(versioned, 0);
        Llama2cLayout.Parse(legacy, legacy.Length, "x");
        Llama2cLayout.Parse(versioned, versioned.Length, "x");
        // Most of a whole file is numbers, where no mutation matters; headers alone get the rest.
        Mutation.Check([legacy, versioned], FuzzTargets.All["llama2c"], Mutation.Inputs / 2);
        Mutation.Check([legacy[..28], versioned[..256]], input => Llama2cLayout.Parse(input, 4212, "x"), Mutation.Inputs / 2);
    }

    private static string Refusal(byte[] file) =>
        Assert.Throws<InvalidInputException>(() => Llama2cLayout.Parse(file, file.Length, "x")).Message;

    private static byte[] Bytes(ReadOnlySpan<int> numbers) => MemoryMarshal.AsBytes(numbers).ToArray();

    private static byte[] Versioned(int version, int[] numbers, byte shared)
    {
        byte[] file = new byte[256];
        Bytes([0x616b3432, version, .. numbers]).CopyTo(file, 0);
        file[36] = shared;
        return file;
    }
}
