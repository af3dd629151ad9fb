using System.Buffers.Binary;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The header of one safetensors file: 8 bytes of little-endian length, then JSON that maps names to dtype, shape and
/// data_offsets. Offsets count from the end of the header and must tile the rest of the file without hole or overlap.
/// Source: the format section of the README of huggingface/safetensors.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The header's longest length in bytes, as in the reference implementation.</summary>
    public const int LongestHeader = 100_000_000;

    // Objects of many tiny entries outgrow the text they are read from; models have under 10,000 tensors.
    private const int MostTensors = 1 << 18;
    private const int MostPairs = 1 << 16;
    private const int MostDimensions = 32;
    private const int LengthBytes = 8;

    /// <summary>The free text pairs under <c>__metadata__</c>.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>The tensors, ordered by place.</summary>
    public List<TensorPlace> Tensors { get; } = [];

    /// <summary>Reads the header of a mapped file.</summary>
    public static SafetensorsHeader Read(MappedFile file) =>
        Parse(file.Span(0, (int)Math.Min(file.Length, LongestHeader + LengthBytes)), file.Length, file.Path);

    /// <summary>Parses the begin of a file of <paramref name="fileLength"/> bytes; all of the header must lie in <paramref name="start"/>.</summary>
    /// <exception cref="InvalidInputException">The file is not valid safetensors.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> start, long fileLength, string source)
    {
        if (start.Length < LengthBytes)
            throw new InvalidInputException(source, "header", $"a file of {fileLength} bytes is too short for safetensors");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (length > LongestHeader)
            throw new InvalidInputException(source, "header", $"a length of {length} bytes exceeds the format's {LongestHeader}: not a safetensors file");
        if (length > (ulong)(fileLength - LengthBytes))
            throw new InvalidInputException(source, "header", $"a length of {length} bytes exceeds the file of {fileLength}: the file is cut short");
        SafetensorsHeader header = new();
        long dataStart = LengthBytes + (long)length;
        header.ReadJson(new JsonCursor(start.Slice(LengthBytes, (int)length), source, "header"), dataStart, fileLength, source);
        header.CheckTiling(dataStart, fileLength, source);
        return header;
    }

    private void ReadJson(JsonCursor json, long dataStart, long fileLength, string source)
    {
        HashSet<string> seen = [];
        json.Expect(JsonTokenType.StartObject, "header", "a JSON object");
        while (json.NextKey(out string name))
        {
            if (!seen.Add(name))
                throw new InvalidInputException(source, Field(name), "named twice in the header");
            if (seen.Count > MostTensors)
                throw new InvalidInputException(source, "header", $"names more than {MostTensors} tensors");
            if (name == "__metadata__")
                ReadMetadata(ref json, source);
            else
                Tensors.Add(ReadTensor(ref json, name, dataStart, fileLength, source));
        }

        json.End();
    }

    private void ReadMetadata(ref JsonCursor json, string source)
    {
        json.Expect(JsonTokenType.StartObject, "__metadata__", "an object of strings");
        while (json.NextKey(out string key))
            if (!Metadata.TryAdd(key, json.String($"__metadata__.{key}")))
                throw new InvalidInputException(source, $"__metadata__.{key}", "named twice in the header");
            else if (Metadata.Count > MostPairs)
                throw new InvalidInputException(source, "__metadata__", $"holds more than {MostPairs} texts");
    }

    private static TensorPlace ReadTensor(ref JsonCursor json, string name, long dataStart, long fileLength, string source)
    {
        string field = Field(name);
        string? dtype = null;
        Span<long> shape = stackalloc long[MostDimensions], offsets = stackalloc long[2];
        int dimensions = -1, ends = -1;
        json.Expect(JsonTokenType.StartObject, field, "an object with dtype, shape and data_offsets");
        while (json.NextKey())
        {
            if (json.Is("dtype"))
                dtype = dtype is null ? ReadType(ref json, field) : throw Twice("dtype");
            else if (json.Is("shape"))
                dimensions = dimensions < 0 ? ReadNumbers(ref json, shape, field, ".shape", source) : throw Twice("shape");
            else if (json.Is("data_offsets"))
                ends = ends < 0 ? ReadNumbers(ref json, offsets, field, ".data_offsets", source) : throw Twice("data_offsets");
            else
                json.Skip();
        }

        if (dtype is null || dimensions < 0 || ends < 0)
            throw new InvalidInputException(source, field, $"{(dtype is null ? "dtype" : dimensions < 0 ? "shape" : "data_offsets")} is missing");
        if (!SafetensorsTypes.TryParse(dtype, out TensorType type))
            throw new InvalidInputException(source, $"{field}.dtype", $"{dtype} is not supported; known are {SafetensorsTypes.Names}");
        if (ends != 2 || offsets[0] > offsets[1])
            throw new InvalidInputException(source, $"{field}.data_offsets", "must be [begin, end] with begin <= end");
        if (offsets[1] > fileLength - dataStart)
            throw new InvalidInputException(source, $"{field}.data_offsets", $"end at byte {offsets[1]} of {fileLength - dataStart}: the file is cut short");
        long[] sizes = shape[..dimensions].ToArray();
        long bytes = TensorPlace.BytesOf(source, field, type, sizes);
        if (bytes != offsets[1] - offsets[0])
            throw new InvalidInputException(source, $"{field}.data_offsets", $"span {offsets[1] - offsets[0]} bytes, but {dtype} {TensorPlace.Text(sizes)} takes {bytes}");
        return new TensorPlace(name, type, sizes, dataStart + offsets[0], bytes);

        InvalidInputException Twice(string key) => new(source, $"{field}.{key}", "given twice");
    }

    // A known name is the one in the table: a copy for each tensor would outgrow the header.
    private static string ReadType(ref JsonCursor json, string field)
    {
        json.Next();
        return SafetensorsTypes.Find(in json) ?? json.Text($"{field}.dtype");
    }

    private static int ReadNumbers(ref JsonCursor json, scoped Span<long> numbers, string field, string key, string source)
    {
        json.Next();
        if (json.Kind != JsonTokenType.StartArray)
            throw new InvalidInputException(source, field + key, "must be an array of whole numbers");
        int count = 0;
        for (json.Next(); json.Kind != JsonTokenType.EndArray; json.Next())
        {
            if (count == numbers.Length)
                throw new InvalidInputException(source, field + key, $"has more than {count} numbers");
            if (!json.TryWhole(out numbers[count++]))
                throw new InvalidInputException(source, field + key, "must be a whole number of at least 0 and below 2^63");
        }

        return count;
    }

    private void CheckTiling(long dataStart, long fileLength, string source)
    {
        TensorPlace.OrderWithoutOverlap(source, Tensors);
        long end = dataStart;
        foreach (TensorPlace place in Tensors)
        {
            if (place.Start != end)
                throw new InvalidInputException(source, Field(place.Name), $"{place.Start - end} bytes before it belong to no tensor");
            end = place.Start + place.Length;
        }

        if (end != fileLength)
            throw new InvalidInputException(source, "header", $"the last {fileLength - end} bytes of the file belong to no tensor");
    }

    // A name may be empty; a message's field may not.
    private static string Field(string name) => name.Length == 0 ? "\"\"" : name;
}
