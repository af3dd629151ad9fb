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

    private const int LengthBytes = 8;
    private const int MostDimensions = 32;

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
    }

    private static TensorPlace ReadTensor(ref JsonCursor json, string name, long dataStart, long fileLength, string source)
    {
        string field = Field(name);
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        json.Expect(JsonTokenType.StartObject, field, "an object with dtype, shape and data_offsets");
        while (json.NextKey(out string key))
        {
            switch (key)
            {
                case "dtype" when dtype is null:
                    dtype = json.String($"{field}.dtype");
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref json, $"{field}.shape", MostDimensions, source);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref json, $"{field}.data_offsets", 2, source);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw new InvalidInputException(source, $"{field}.{key}", "given twice");
                default:
                    json.Skip();
                    break;
            }
        }

        if (dtype is null || shape is null || offsets is null)
            throw new InvalidInputException(source, field, $"{(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")} is missing");
        if (!SafetensorsTypes.TryParse(dtype, out TensorType type))
            throw new InvalidInputException(source, $"{field}.dtype", $"{dtype} is not supported; known are {SafetensorsTypes.Names}");
        if (offsets.Count != 2 || offsets[0] > offsets[1])
            throw new InvalidInputException(source, $"{field}.data_offsets", "must be [begin, end] with begin <= end");
        if (offsets[1] > fileLength - dataStart)
            throw new InvalidInputException(source, $"{field}.data_offsets", $"end at byte {offsets[1]} of {fileLength - dataStart}: the file is cut short");
        long[] sizes = [.. shape];
        long bytes = TensorPlace.BytesOf(source, field, type, sizes);
        if (bytes != offsets[1] - offsets[0])
            throw new InvalidInputException(source, $"{field}.data_offsets", $"span {offsets[1] - offsets[0]} bytes, but {dtype} {TensorPlace.Text(sizes)} takes {bytes}");
        return new TensorPlace(name, type, sizes, dataStart + offsets[0], bytes);
    }

    private static List<long> ReadNumbers(ref JsonCursor json, string field, int most, string source)
    {
        json.Expect(JsonTokenType.StartArray, field, "an array of whole numbers");
        List<long> numbers = [];
        for (json.Next(); json.Kind != JsonTokenType.EndArray; json.Next())
        {
            if (numbers.Count == most)
                throw new InvalidInputException(source, field, $"has more than {most} numbers");
            numbers.Add(json.Whole(field));
        }

        return numbers;
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
