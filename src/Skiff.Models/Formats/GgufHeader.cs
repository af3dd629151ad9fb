using System.Buffers.Binary;
using System.Numerics;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// All of a GGUF file before its tensor data: magic, version, counts, key-value pairs, then per tensor its name,
/// dimensions (innermost first), type and offset from the aligned end of the header. Source: docs/gguf.md of
/// ggml-org/ggml.
/// </summary>
internal sealed class GgufHeader
{
    /// <summary>The alignment of tensor data in bytes where the file does not say.</summary>
    public const int DefaultAlignment = 32;

    /// <summary>The key that sets another alignment.</summary>
    public const string AlignmentKey = "general.alignment";

    // Objects of many tiny pairs outgrow the file they are read from; models have under 100 keys and 10,000 tensors.
    private const int MostKeys = 1 << 16;
    private const int MostTensors = 1 << 18;
    private const int MostDimensions = 4;
    private const int LargestAlignment = 1 << 16;
    private static ReadOnlySpan<byte> Magic => "GGUF"u8;

    private GgufHeader(string source) => Metadata = new GgufMetadata(source);

    /// <summary>2 or 3.</summary>
    public int Version { get; private set; }

    /// <summary>The key-value pairs in file order.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors, ordered by place.</summary>
    public List<TensorPlace> Tensors { get; } = [];

    /// <summary>Reads the header of a mapped file.</summary>
    public static GgufHeader Read(MappedFile file) =>
        Parse(file.Span(0, (int)Math.Min(file.Length, int.MaxValue)), file.Length, file.Path);

    /// <summary>Parses the begin of a file of <paramref name="fileLength"/> bytes; all of the header must lie in <paramref name="start"/>.</summary>
    /// <exception cref="InvalidInputException">The file is not valid GGUF of version 2 or 3.</exception>
    public static GgufHeader Parse(ReadOnlySpan<byte> start, long fileLength, string source)
    {
        if (start.Length < 8 || !start[..4].SequenceEqual(Magic))
            throw new InvalidInputException(source, "magic", "not a gguf file: it does not start with 'GGUF'");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(start[4..]);
        if (version != 0 && (version & 0xFFFF) == 0)
            throw new InvalidInputException(source, "version", "the file is big-endian; convert it to little-endian");
        if (version is not (2 or 3))
            throw new InvalidInputException(source, "version", $"gguf version {version} is not supported, only 2 and 3");
        GgufHeader header = new(source) { Version = (int)version };
        GgufCursor cursor = new(start, source);
        cursor.U64("magic");
        // The least a tensor's entry takes: name length, dimension count, type and offset; of a pair: key length, type, value.
        int tensors = cursor.Count("tensor count", 24, MostTensors);
        int keys = cursor.Count("key count", 13, MostKeys);
        for (int i = 0; i < keys; i++)
            header.ReadPair(ref cursor, i, source);
        header.ReadTensors(ref cursor, tensors, fileLength, source);
        return header;
    }

    private void ReadPair(ref GgufCursor cursor, int index, string source)
    {
        string key = cursor.Text($"key {index}");
        if (key.Length == 0)
            throw new InvalidInputException(source, $"key {index}", "is empty");
        if (Metadata.Contains(key))
            throw new InvalidInputException(source, key, "is there twice");
        Metadata.Add(key, cursor.Value(key));
    }

    private void ReadTensors(ref GgufCursor cursor, int count, long fileLength, string source)
    {
        HashSet<string> names = [];
        // Offsets count from a border that is known only after the last entry.
        for (int i = 0; i < count; i++)
        {
            string name = cursor.Text($"tensor {i}");
            if (name.Length == 0)
                throw new InvalidInputException(source, $"tensor {i}", "has no name");
            if (!names.Add(name))
                throw new InvalidInputException(source, name, "two tensors have this name");
            Tensors.Add(ReadEntry(ref cursor, name, source));
        }

        long alignment = ReadAlignment(source);
        long dataStart = (cursor.Position + alignment - 1) / alignment * alignment;
        for (int i = 0; i < count; i++)
        {
            TensorPlace place = Tensors[i];
            if (place.Start % alignment != 0)
                throw new InvalidInputException(source, place.Name, $"offset {place.Start} is not a multiple of the alignment {alignment}");
            if (place.Start > fileLength - dataStart - place.Length)
                throw new InvalidInputException(source, place.Name, $"{place.Length} bytes at offset {place.Start} do not fit the file's {Math.Max(0, fileLength - dataStart)} bytes of data: it is cut short");
            Tensors[i] = place with { Start = dataStart + place.Start };
        }

        TensorPlace.OrderWithoutOverlap(source, Tensors);
    }

    private static TensorPlace ReadEntry(ref GgufCursor cursor, string name, string source)
    {
        uint dimensions = cursor.U32(name);
        if (dimensions > MostDimensions)
            throw new InvalidInputException(source, name, $"{dimensions} dimensions; at most {MostDimensions} are possible");
        long[] shape = new long[dimensions];
        for (int d = shape.Length - 1; d >= 0; d--)
            shape[d] = (long)cursor.U64(name);
        TensorType type = GgufTypes.Parse(cursor.U32(name), source, name);
        long bytes = TensorPlace.BytesOf(source, name, type, shape);
        ulong offset = cursor.U64(name);
        if (offset > long.MaxValue)
            throw new InvalidInputException(source, name, $"offset {offset} is beyond any file");
        return new TensorPlace(name, type, shape, (long)offset, bytes);
    }

    private long ReadAlignment(string source)
    {
        if (!Metadata.TryGet(AlignmentKey, out long alignment))
            return DefaultAlignment;
        if (alignment < 8 || alignment > LargestAlignment || !BitOperations.IsPow2(alignment))
            throw new InvalidInputException(source, AlignmentKey, $"{alignment} is not a power of two from 8 to {LargestAlignment}");
        return alignment;
    }
}
