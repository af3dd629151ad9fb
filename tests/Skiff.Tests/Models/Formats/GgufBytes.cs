using System.Text;

namespace Skiff.Tests.Models;

/// <summary>Hand-made GGUF files, good and bad, written field by field.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte> _bytes = [];

    public GgufBytes(ulong tensors, ulong keys, uint version = 3) => Raw("GGUF"u8.ToArray()).U32(version).U64(tensors).U64(keys);

    public GgufBytes U32(uint value) => Raw(BitConverter.GetBytes(value));

    public GgufBytes U64(ulong value) => Raw(BitConverter.GetBytes(value));

    public GgufBytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public GgufBytes Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return U64((ulong)bytes.Length).Raw(bytes);
    }

    /// <summary>A tensor's entry; dimensions innermost first, as in the file.</summary>
    public GgufBytes Tensor(string name, uint type, ulong offset, params ulong[] dimensions)
    {
        Text(name).U32((uint)dimensions.Length);
        foreach (ulong dimension in dimensions)
            U64(dimension);
        return U32(type).U64(offset);
    }

    /// <summary>Zeros up to the next border, then so many more.</summary>
    public GgufBytes Data(int bytes, int alignment = 32)
    {
        while (_bytes.Count % alignment != 0)
            Raw(0);
        return Raw(new byte[bytes]);
    }

    public byte[] ToArray() => [.. _bytes];
}
