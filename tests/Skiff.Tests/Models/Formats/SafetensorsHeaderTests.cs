using System.Text;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models;

public sealed class SafetensorsHeaderTests
{
    [Theory]
    [InlineData("{}", 0)]
    [InlineData("{\"a\":{\"\\u0064type\":\"\\u00558\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1)]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}   ", 16)]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},\"\":{\"dtype\":\"BOOL\",\"shape\":[0],\"data_offsets\":[4,4]}}", 4)]
    [InlineData("{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"I8\",\"extra\":[{\"x\":[1]}],\"shape\":[3],\"data_offsets\":[0,3]}}", 3)]
    public void AGoodHeaderIsRead(string json, int dataBytes)
    {
        byte[] file = SafetensorsBytes.Of(json, dataBytes);
        SafetensorsHeader header = SafetensorsHeader.Parse(file, file.Length, "x");
        Assert.Equal(dataBytes, header.Tensors.Sum(t => t.Length));
    }

    [Theory]
    [InlineData("[]", 0, "x: header: must be a JSON object")]
    [InlineData("", 0, "x: header: not valid JSON: The input does not contain any JSON tokens. Expected the input to start with a valid JSON token, when isFinalBlock is true. LineNumber: 0 | BytePositionInLine: 0.")]
    [InlineData("{}{}", 0, "x: header: not valid JSON: '{' is invalid after a single JSON value. Expected end of data. LineNumber: 0 | BytePositionInLine: 2.")]
    [InlineData("{\"a\":", 0, "x: header: not valid JSON: Expected depth to be zero at the end of the JSON payload. There is an open JSON object or array that should be closed. LineNumber: 0 | BytePositionInLine: 5.")]
    [InlineData("{}", 1, "x: header: the last 1 bytes of the file belong to no tensor")]
    [InlineData("{\"a\":1}", 0, "x: a: must be an object with dtype, shape and data_offsets")]
    [InlineData("{\"a\":{}}", 0, "x: a: dtype is missing")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", 0, "x: a: shape is missing")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}", 0, "x: a: data_offsets is missing")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "x: a.dtype: given twice")]
    [InlineData("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "x: a.dtype: F8_E4M3 is not supported; known are F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL")]
    [InlineData("{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "x: a.dtype: must be a string")]
    [InlineData("{\"a\":{\"d\\ud800\":1}}", 0, "x: header: a string is not valid UTF-8 or holds half a surrogate pair")]
    [InlineData("{\"a\":{\"dtype\":\"\\ud800\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "x: header: a string is not valid UTF-8 or holds half a surrogate pair")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "x: a.shape: must be a whole number of at least 0 and below 2^63")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "x: a.shape: must be a whole number of at least 0 and below 2^63")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, "x: a.shape: must be a whole number of at least 0 and below 2^63")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4, "x: a.shape: must be a whole number of at least 0 and below 2^63")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,1],\"data_offsets\":[0,4]}}", 4, "x: a: shape [4294967296, 4294967296, 1] holds more than 2^63 bytes")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296],\"data_offsets\":[0,4]}}", 4, "x: a: shape [4294967296] has rows of more than 2147483647 values")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "x: a.data_offsets: span 4 bytes, but F32 [2] takes 8")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "x: a.data_offsets: end at byte 8 of 4: the file is cut short")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "x: a.data_offsets: must be [begin, end] with begin <= end")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "x: a.data_offsets: has more than 2 numbers")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "x: a.data_offsets: must be [begin, end] with begin <= end")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "x: a: 4 bytes before it belong to no tensor")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, "x: b: its bytes overlap those of tensor a")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "x: a: named twice in the header")]
    [InlineData("{\"__metadata__\":{\"a\":1}}", 0, "x: __metadata__.a: must be a string")]
    [InlineData("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "x: __metadata__.a: named twice in the header")]
    [InlineData("{\"__metadata__\":[]}", 0, "x: __metadata__: must be an object of strings")]
    public void ABadHeaderIsRefusedByName(string json, int dataBytes, string message)
    {
        byte[] file = SafetensorsBytes.Of(json, dataBytes);
        Assert.Equal(message, Refusal(file));
    }

    [Fact]
    public void ALengthBeyondTheFileOrTheFormatIsRefused()
    {
        byte[] file = SafetensorsBytes.Of("{}", 0);
        Assert.Equal("x: header: a file of 3 bytes is too short for safetensors", Refusal(file[..3]));
        file[0] = 3;
        Assert.Equal("x: header: a length of 3 bytes exceeds the file of 10: the file is cut short", Refusal(file));
        file[7] = 0x80;
        Assert.Equal("x: header: a length of 9223372036854775811 bytes exceeds the format's 100000000: not a safetensors file", Refusal(file));
        string many = string.Join(",", Enumerable.Repeat("1", 33));
        Assert.Equal("x: a.shape: has more than 32 numbers", Refusal(SafetensorsBytes.Of($"{{\"a\":{{\"shape\":[{many}]}}}}", 0)));
    }

    private static string Refusal(byte[] file) =>
        Assert.Throws<InvalidInputException>(() => SafetensorsHeader.Parse(file, file.Length, "x")).Message;

    [Fact]
    public void MutatedHeadersNeverCrash()
    {
        byte[][] seeds =
        [
            SafetensorsBytes.Of("{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16),
            SafetensorsBytes.Of("{\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[0,6]},\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[6,14]}}", 14),
        ];
        Mutation.Check(seeds, FuzzTargets.All["safetensors"]);
    }

    [Fact]
    public void MutatedIndexesNeverCrash() => Mutation.Check(
        [Encoding.UTF8.GetBytes("{\"metadata\":{\"total_size\":12},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"b\":\"model-00002-of-00002.safetensors\"}}")],
        FuzzTargets.All["safetensors.index.json"]);
}
