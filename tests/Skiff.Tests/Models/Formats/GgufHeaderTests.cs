using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models;

public sealed class GgufHeaderTests
{
    private static GgufHeader Parse(byte[] file) => GgufHeader.Parse(file, file.Length, "x");

    private static string Refusal(GgufBytes file) => Refusal(file.ToArray());

    private static string Refusal(byte[] file) => Assert.Throws<InvalidInputException>(() => Parse(file)).Message;

    private static GgufBytes Good(uint version = 3) => new GgufBytes(2, 3, version)
        .Text("general.architecture").U32(8).Text("llama")
        .Text("general.alignment").U32(4).U32(64)
        .Text("tokens").U32(9).U32(8).U64(2).Text("a").Text("bc")
        .Tensor("w", 0, 0, 3, 2).Tensor("q", 8, 64, 32, 1)
        .Data(64 + 34, 64);

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void AGoodFileIsRead(uint version)
    {
        GgufHeader header = Parse(Good(version).ToArray());
        Assert.Equal("llama", header.Metadata.String("general.architecture"));
        Assert.Equal(["a", "bc"], header.Metadata.Array<string>("tokens"));
        Assert.Equal(["general.architecture", "general.alignment", "tokens"], header.Metadata.Select(p => p.Key));
        Assert.Equal([2L, 3L], header.Tensors[0].Shape);
        Assert.Equal((TensorType.Q8_0, 34L), (header.Tensors[1].Type, header.Tensors[1].Length));
        Assert.Equal(0, header.Tensors[0].Start % 64);
    }

    [Fact]
    public void OtherVersionsAndByteOrdersAreRefusedByName()
    {
        Assert.Equal("x: magic: not a gguf file: it does not start with 'GGUF'", Refusal([1, 2, 3, 4, 5, 6, 7, 8]));
        Assert.Equal("x: magic: not a gguf file: it does not start with 'GGUF'", Refusal("GGUF"u8.ToArray()));
        Assert.Equal("x: version: gguf version 1 is not supported, only 2 and 3", Refusal(new GgufBytes(0, 0, 1)));
        Assert.Equal("x: version: gguf version 4 is not supported, only 2 and 3", Refusal(new GgufBytes(0, 0, 4)));
        Assert.Equal("x: version: the file is big-endian; convert it to little-endian", Refusal(new GgufBytes(0, 0, 3u << 24)));
    }

    [Fact]
    public void CountsAndLengthsBeyondTheFileAreRefused()
    {
        Assert.Equal("x: tensor count: 18446744073709551615 exceeds the limit of 262144", Refusal(new GgufBytes(ulong.MaxValue, 0)));
        Assert.Equal("x: tensor count: 9 need more than the 8 bytes that are left: the file is cut short or damaged", Refusal(new GgufBytes(9, 0)));
        Assert.Equal("x: key count: 65537 exceeds the limit of 65536", Refusal(new GgufBytes(0, 65537)));
        Assert.Equal("x: key count: 1 need more than the 0 bytes that are left: the file is cut short or damaged", Refusal(new GgufBytes(0, 1)));
        Assert.Equal("x: key 0: 99 need more than the 5 bytes that are left: the file is cut short or damaged", Refusal(new GgufBytes(0, 1).U64(99).Raw(0, 0, 0, 0, 0)));
        Assert.Equal("x: k: the file ends at byte 37, inside this value: it is cut short", Refusal(new GgufBytes(0, 1).Text("k").U32(4)));
        Assert.Equal("x: k: 4611686018427387904 exceeds the limit of 2147483591", Refusal(new GgufBytes(0, 1).Text("k").U32(9).U32(10).U64(1UL << 62)));
        Assert.Equal("x: k: 1000000 need more than the 0 bytes that are left: the file is cut short or damaged", Refusal(new GgufBytes(0, 1).Text("k").U32(9).U32(8).U64(1_000_000)));
    }

    [Fact]
    public void BadMetadataIsRefusedByKey()
    {
        Assert.Equal("x: key 0: is empty", Refusal(new GgufBytes(0, 1).Text("").U32(4).U32(0)));
        Assert.Equal("x: k: is there twice", Refusal(new GgufBytes(0, 2).Text("k").U32(4).U32(0).Text("k").U32(4).U32(0)));
        Assert.Equal("x: k: value type 13 is unknown", Refusal(new GgufBytes(0, 1).Text("k").U32(13).U32(0)));
        Assert.Equal("x: k: array element type 13 is unknown", Refusal(new GgufBytes(0, 1).Text("k").U32(9).U32(13).U64(0)));
        Assert.Equal("x: k: a truth value is neither 0 nor 1", Refusal(new GgufBytes(0, 1).Text("k").U32(7).Raw(2)));
        Assert.Equal("x: k: the string before byte 47 is not valid UTF-8", Refusal(new GgufBytes(0, 1).Text("k").U32(8).U64(2).Raw(0xC3, 0x28)));
        GgufBytes nested = new GgufBytes(0, 1).Text("k").U32(9);
        for (int i = 0; i < 4; i++)
            nested.U32(9).U64(1);
        Assert.Equal("x: k: arrays are nested deeper than 4", Refusal(nested.U32(4).U64(0)));
        foreach (uint alignment in new uint[] { 0, 4, 48, 1 << 17 })
            Assert.Equal($"x: general.alignment: {alignment} is not a power of two from 8 to 65536", Refusal(new GgufBytes(0, 1).Text("general.alignment").U32(4).U32(alignment)));
    }

    [Fact]
    public void BadTensorsAreRefusedByName()
    {
        Assert.Equal("x: t: 5 dimensions; at most 4 are possible", Refusal(new GgufBytes(1, 0).Tensor("t", 0, 0, 1, 1, 1, 1, 1)));
        Assert.Equal("x: tensor 0: has no name", Refusal(new GgufBytes(1, 0).Tensor("", 0, 0, 1)));
        Assert.Equal("x: t: two tensors have this name", Refusal(new GgufBytes(2, 0).Tensor("t", 0, 0, 1).Tensor("t", 0, 32, 1).Data(36)));
        Assert.Equal("x: t: tensor type 10 (q2_k) is not supported; known are f32, f16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, i8, i16, i32, i64, f64, bf16", Refusal(new GgufBytes(1, 0).Tensor("t", 10, 0, 256)));
        Assert.StartsWith("x: t: tensor type 999 (unknown) is not supported", Refusal(new GgufBytes(1, 0).Tensor("t", 999, 0, 256)));
        Assert.Equal("x: t: rows of 33 values do not fill q8_0 blocks of 32", Refusal(new GgufBytes(1, 0).Tensor("t", 8, 0, 33)));
        Assert.Equal("x: t: shape [-1] has a negative size", Refusal(new GgufBytes(1, 0).Tensor("t", 0, 0, ulong.MaxValue)));
        Assert.Equal("x: t: shape [4611686018427387904, 4] holds more than 2^63 bytes", Refusal(new GgufBytes(1, 0).Tensor("t", 0, 0, 4, 1UL << 62)));
        Assert.Equal("x: t: offset 33 is not a multiple of the alignment 32", Refusal(new GgufBytes(1, 0).Tensor("t", 0, 33, 1).Data(64)));
        Assert.Equal("x: t: offset 18446744073709551584 is beyond any file", Refusal(new GgufBytes(1, 0).Tensor("t", 0, ulong.MaxValue - 31, 1).Data(64)));
        Assert.Equal("x: t: 4 bytes at offset 32 do not fit the file's 32 bytes of data: it is cut short", Refusal(new GgufBytes(1, 0).Tensor("t", 0, 32, 1).Data(32)));
        Assert.Equal("x: t: 4 bytes at offset 9223372036854775776 do not fit the file's 32 bytes of data: it is cut short", Refusal(new GgufBytes(1, 0).Tensor("t", 0, long.MaxValue - 31, 1).Data(32)));
        Assert.Equal("x: u: its bytes overlap those of tensor t", Refusal(new GgufBytes(2, 0).Tensor("t", 0, 0, 9).Tensor("u", 0, 32, 1).Data(64)));
    }

    [Fact]
    public void MutatedFilesNeverCrash() => Mutation.Check([Good().ToArray(), Good(2).ToArray()], FuzzTargets.All["gguf"]);
}
