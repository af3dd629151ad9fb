using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>The densest files that the limits admit: what parsing takes stays below 4 times the file plus 64 MiB.</summary>
public sealed class MemoryTests
{
    private const int Tensors = 1 << 18;

    [Fact]
    public void TheTiniestSafetensorsEntries()
    {
        StringBuilder json = new("{\"__metadata__\":{");
        for (int i = 0; i < 65_000; i++)
            json.Append(i == 0 ? "" : ",").Append($"\"{i:x}\":\"\"");
        json.Append('}');
        for (int i = 0; i < Tensors - 1; i++)
            json.Append($",\"{i:x}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
        byte[] file = SafetensorsBytes.Of(json.Append('}').ToString(), 0);
        Check(file.Length, () => SafetensorsHeader.Parse(file, file.Length, "x"));
        byte[] over = SafetensorsBytes.Of(json.Insert(json.Length - 1, ",\"a\":{},\"b\":{}").ToString(), 0);
        Assert.Throws<InvalidInputException>(() => SafetensorsHeader.Parse(over, over.Length, "x"));
    }

    [Fact]
    public void TheTiniestIndexEntries()
    {
        StringBuilder json = new("{\"weight_map\":{\"z\":\"a\"");
        for (int i = 0; i < Tensors - 1; i++)
            json.Append($",\"{i:x}\":\"a\"");
        byte[] file = Encoding.UTF8.GetBytes(json.Append("}}").ToString());
        Check(file.Length, () => SafetensorsIndex.Parse(file, "x"));
    }

    [Fact]
    public void TheTiniestGgufEntries()
    {
        GgufBytes bytes = new(Tensors, 65_536);
        for (int i = 0; i < 65_536; i++)
            bytes.Text($"{i:x}").U32(0).Raw(1);
        for (int i = 0; i < Tensors; i++)
            bytes.Tensor($"{i:x}", 0, 0);
        byte[] file = bytes.Data(4).ToArray();
        // Scalars that all lie at the same place are refused for it only after all are read.
        Check(file.Length, () => Assert.Throws<InvalidInputException>(() => GgufHeader.Parse(file, file.Length, "x")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ab")]
    public void TheTiniestGgufTexts(string text)
    {
        const int Count = 2_000_000;
        GgufBytes bytes = new GgufBytes(0, 1).Text("k").U32(9).U32(8).U64(Count);
        for (int i = 0; i < Count; i++)
            bytes.Text(text);
        byte[] file = bytes.ToArray();
        Check(file.Length, () => GgufHeader.Parse(file, file.Length, "x"));
    }

    private static void Check(long fileLength, Action parse)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        parse();
        long taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(taken <= (4 * fileLength) + (64L << 20), $"{taken} bytes for a file of {fileLength}");
    }
}
