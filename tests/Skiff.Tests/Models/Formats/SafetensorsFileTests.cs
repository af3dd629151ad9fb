using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class SafetensorsFileTests : IDisposable
{
    private const string A = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}";
    private const string B = "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ThePublishedSamplesAreRead()
    {
        using SafetensorsFile one = SafetensorsFile.Open(Data.File("formats", "safetensors", "tensor-1d-int32.safetensors"));
        Assert.Equal((TensorType.I32, "i32 [3]"), (one.Tensors["embedding"].Type, one.Tensors["embedding"].ToString()));
        Assert.Equal([1f, 2f, 3f], one.Tensors["embedding"].ConvertTo(TensorType.F32).Floats().ToArray());
        using SafetensorsFile three = SafetensorsFile.Open(Data.File("formats", "safetensors", "tensor-3d-float32.safetensors"));
        Assert.Equal([2, 2, 3], three.Tensors["embedding"].Shape);
        Assert.Equal([22f, 23f, 24f, 11f, 12f, 13f, 2f, 3f, 4f, 1f, 2f, 3f], three.Tensors["embedding"].ConvertTo(TensorType.F32).Floats().ToArray());
    }

    [Fact]
    public unsafe void ATensorOffItsBorderIsCopiedToOne()
    {
        string path = _folder.Write("odd.safetensors", SafetensorsBytes.Of("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[1,17]}}", 17));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(0, (nint)file.Tensors["b"].Data % 8);
        Assert.Equal(Enumerable.Range(1, 16).Select(i => (byte)i), file.Tensors["b"].Bytes().ToArray());
    }

    [Fact]
    public void AFolderIsReadByItsFileOrItsIndex()
    {
        Assert.Equal($"{_folder.Path}: model.safetensors: not found, nor model.safetensors.index.json: not a model folder", Refusal());
        _folder.Write("1.safetensors", SafetensorsBytes.Of(A, 2));
        _folder.Write("2.safetensors", SafetensorsBytes.Of(B, 1));
        Index("{\"metadata\":{\"total_size\":3},\"weight_map\":{\"b\":\"2.safetensors\",\"a\":\"1.safetensors\"}}");
        using (SafetensorsFile sharded = SafetensorsFile.Open(_folder.Path))
            Assert.Equal(["a", "b"], sharded.Tensors.Keys);
        _folder.Write("model.safetensors", SafetensorsBytes.Of(A, 2));
        using SafetensorsFile single = SafetensorsFile.Open(_folder.Path);
        Assert.Equal(["a"], single.Tensors.Keys);
    }

    [Theory]
    [InlineData("{}", "weight_map: is missing")]
    [InlineData("{\"weight_map\":[]}", "weight_map: must be an object of file names")]
    [InlineData("{\"weight_map\":{},\"weight_map\":{}}", "weight_map: given twice")]
    [InlineData("{\"weight_map\":{\"a\":1}}", "weight_map.a: must be a string")]
    [InlineData("{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "weight_map.a: shard '../1.safetensors' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "weight_map.a: shard '/etc/passwd' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"..\\\\1.safetensors\"}}", "weight_map.a: shard '..\\1.safetensors' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"c:1\"}}", "weight_map.a: shard 'c:1' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"..\"}}", "weight_map.a: shard '..' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"\"}}", "weight_map.a: shard '' must be a plain file name in the same folder")]
    [InlineData("{\"weight_map\":{\"a\":\"3.safetensors\"}}", "weight_map: shard 3.safetensors is not in the folder")]
    [InlineData("{\"weight_map\":{\"a\":\"1.safetensors\",\"a\":\"1.safetensors\"}}", "weight_map.a: named twice")]
    [InlineData("{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"1.safetensors\"}}", "weight_map.c: the tensor is not in 1.safetensors")]
    [InlineData("{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"}}", "weight_map.b: says 1.safetensors, but 2.safetensors holds a tensor of that name")]
    [InlineData("{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"2.safetensors\"}}", "weight_map.b: is missing, but 2.safetensors holds the tensor")]
    public void ABadIndexIsRefused(string index, string problem)
    {
        _folder.Write("1.safetensors", SafetensorsBytes.Of(A, 2));
        _folder.Write("2.safetensors", SafetensorsBytes.Of(B, 1));
        Index(index);
        Assert.Equal($"{_folder.File("model.safetensors.index.json")}: {problem}", Refusal());
    }

    [Fact]
    public void AnAbsentFileIsNamed()
    {
        string path = _folder.File("none.safetensors");
        Assert.Equal($"{path}: file: not found", Assert.Throws<InvalidInputException>(() => SafetensorsFile.Open(path)).Message);
    }

    private string Refusal() => Assert.Throws<InvalidInputException>(() => SafetensorsFile.Open(_folder.Path)).Message;

    private void Index(string json) => File.WriteAllText(_folder.File("model.safetensors.index.json"), json);
}
