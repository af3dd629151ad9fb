using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads GGUF's little-endian numbers, strings and values; checks what is left before it takes memory.</summary>
internal ref struct GgufCursor(ReadOnlySpan<byte> bytes, string source)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>A 32-bit number.</summary>
    public uint U32(string field) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, field));

    /// <summary>A 64-bit number.</summary>
    public ulong U64(string field) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, field));

    /// <summary>A count of things that take at least <paramref name="leastBytes"/> each, so that no larger count can be true.</summary>
    public int Count(string field, int leastBytes, int most)
    {
        ulong count = U64(field);
        if (count > (ulong)most)
            throw new InvalidInputException(source, field, $"{count} exceeds the limit of {most}");
        if (count > (ulong)((_bytes.Length - Position) / leastBytes))
            throw new InvalidInputException(source, field, $"{count} need more than the {_bytes.Length - Position} bytes that are left: the file is cut short or damaged");
        return (int)count;
    }

    /// <summary>A string: 64-bit length, then UTF-8.</summary>
    public string Text(string field)
    {
        int length = Count(field, 1, int.MaxValue);
        try
        {
            return Utf8.GetString(Take(length, field));
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException(source, field, $"the string before byte {Position} is not valid UTF-8", e);
        }
    }

    /// <summary>A value of metadata: its type's number, then the value.</summary>
    public object Value(string key)
    {
        GgufValueType type = (GgufValueType)U32(key);
        return type switch
        {
            GgufValueType.U8 => Take(1, key)[0],
            GgufValueType.I8 => (sbyte)Take(1, key)[0],
            GgufValueType.U16 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, key)),
            GgufValueType.I16 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, key)),
            GgufValueType.U32 => U32(key),
            GgufValueType.I32 => (int)U32(key),
            GgufValueType.F32 => BitConverter.UInt32BitsToSingle(U32(key)),
            GgufValueType.U64 => U64(key),
            GgufValueType.I64 => (long)U64(key),
            GgufValueType.F64 => BitConverter.UInt64BitsToDouble(U64(key)),
            GgufValueType.Bool => Truths(1, key)[0],
            GgufValueType.Text => Text(key),
            GgufValueType.List => List(key, 1),
            _ => throw new InvalidInputException(source, key, $"value type {(uint)type} is unknown"),
        };
    }

    private Array List(string key, int depth)
    {
        GgufValueType type = (GgufValueType)U32(key);
        if (type.LeastBytes() == 0)
            throw new InvalidInputException(source, key, $"array element type {(uint)type} is unknown");
        int count = Count(key, type.LeastBytes(), Array.MaxLength);
        switch (type)
        {
            case GgufValueType.U8:
                return Numbers<byte>(count, key);
            case GgufValueType.I8:
                return Numbers<sbyte>(count, key);
            case GgufValueType.U16:
                return Numbers<ushort>(count, key);
            case GgufValueType.I16:
                return Numbers<short>(count, key);
            case GgufValueType.U32:
                return Numbers<uint>(count, key);
            case GgufValueType.I32:
                return Numbers<int>(count, key);
            case GgufValueType.F32:
                return Numbers<float>(count, key);
            case GgufValueType.U64:
                return Numbers<ulong>(count, key);
            case GgufValueType.I64:
                return Numbers<long>(count, key);
            case GgufValueType.F64:
                return Numbers<double>(count, key);
            case GgufValueType.Bool:
                return Truths(count, key);
            case GgufValueType.Text:
                string[] texts = count == 0 ? [] : new string[count];
                for (int i = 0; i < count; i++)
                    texts[i] = Text(key);
                return texts;
            default:
                if (depth == GgufValueTypes.DeepestArray)
                    throw new InvalidInputException(source, key, $"arrays are nested deeper than {GgufValueTypes.DeepestArray}");
                Array[] lists = count == 0 ? [] : new Array[count];
                for (int i = 0; i < count; i++)
                    lists[i] = List(key, depth + 1);
                return lists;
        }
    }

    private T[] Numbers<T>(int count, string key)
        where T : unmanaged
    {
        T[] values = count == 0 ? [] : new T[count];
        Span<byte> target = MemoryMarshal.AsBytes(values.AsSpan());
        Take(target.Length, key).CopyTo(target);
        return values;
    }

    private bool[] Truths(int count, string key)
    {
        ReadOnlySpan<byte> values = Take(count, key);
        if (values.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw new InvalidInputException(source, key, "a truth value is neither 0 nor 1");
        return MemoryMarshal.Cast<byte, bool>(values).ToArray();
    }

    private ReadOnlySpan<byte> Take(int count, string field)
    {
        if (count > _bytes.Length - Position)
            throw new InvalidInputException(source, field, $"the file ends at byte {_bytes.Length}, inside this value: it is cut short");
        Position += count;
        return _bytes.Slice(Position - count, count);
    }
}
