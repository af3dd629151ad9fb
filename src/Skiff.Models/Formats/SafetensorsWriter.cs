using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Writes safetensors: one file, or a model folder with shards and an index when it is large. Tensors are laid out
/// widest type first, so that all lie on their natural border; otherwise in the order given.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>Data bytes from which Hugging Face splits a model into shards: 5 GB.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    // Loaders of Hugging Face refuse files whose metadata does not name the framework.
    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes one file. Metadata is free text; without it, <c>format: pt</c> is written, which Hugging Face wants.</summary>
    /// <exception cref="InvalidInputException">
    /// A name comes twice, the format has no name for a tensor's type (it has none for quantized ones), the header grows too
    /// long, or the file cannot be written.
    /// </exception>
    public static void Write(string path, IEnumerable<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        WriteChecked(path, Check(path, tensors), metadata);

    /// <summary>
    /// Writes <c>model.safetensors</c> into a folder that exists; or, if the data exceeds <paramref name="shardBytes"/>,
    /// <c>model-00001-of-0000N.safetensors</c> and on, each within that size unless a single tensor is larger, and their
    /// index. Weights of the other form, or of another number of shards, are removed after the new ones are complete.
    /// Shards that take the names of old ones go after the old index is removed, so that no mixture can be read.
    /// </summary>
    /// <exception cref="InvalidInputException">As for <see cref="Write"/>.</exception>
    public static void WriteFolder(string folder, IEnumerable<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null, long shardBytes = DefaultShardBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shardBytes);
        List<TensorEntry> entries = Check(folder, tensors);
        string single = Path.Combine(folder, SafetensorsFile.FileName), index = Path.Combine(folder, SafetensorsIndex.FileName);
        List<List<TensorEntry>> shards = Split(entries, shardBytes);
        if (shards.Count == 1)
        {
            WriteChecked(single, entries, metadata);
            File.Delete(index);
            RemoveShards(folder, []);
            return;
        }

        string[] names = [.. Enumerable.Range(1, shards.Count).Select(n => ShardName(n, shards.Count))];
        if (names.Any(name => File.Exists(Path.Combine(folder, name))))
            File.Delete(index);
        for (int s = 0; s < names.Length; s++)
            WriteChecked(Path.Combine(folder, names[s]), shards[s], metadata);
        AtomicFile.WriteBytes(index, Index(shards, names));
        File.Delete(single);
        RemoveShards(folder, names);
    }

    private static List<TensorEntry> Check(string source, IEnumerable<TensorEntry> tensors)
    {
        HashSet<string> names = ["__metadata__"];
        List<TensorEntry> entries = [];
        foreach (TensorEntry entry in tensors)
        {
            if (!names.Add(entry.Name))
                throw new InvalidInputException(source, entry.Name, "a tensor of this name cannot be written twice, nor one named __metadata__");
            if (SafetensorsTypes.NameOf(entry.Type) is null)
                throw new InvalidInputException(source, entry.Name, $"safetensors cannot hold {entry.Type.Name()}; write gguf, or convert to bf16");
            TensorPlace.BytesOf(source, entry.Name, entry.Type, [.. entry.Shape]);
            entries.Add(entry);
        }

        return [.. entries.OrderByDescending(e => e.Type.BlockBytes())];
    }

    private static void WriteChecked(string path, List<TensorEntry> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        byte[] header = Header(entries, metadata);
        if (header.Length > SafetensorsHeader.LongestHeader)
            throw new InvalidInputException(path, "header", $"{header.Length} bytes exceed the format's {SafetensorsHeader.LongestHeader}");
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (TensorEntry entry in entries)
                TensorStream.Write(stream, entry);
        });
    }

    private static byte[] Header(List<TensorEntry> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, Json);
        json.WriteStartObject();
        metadata ??= DefaultMetadata;
        if (metadata.Count > 0)
        {
            json.WriteStartObject("__metadata__");
            foreach ((string key, string value) in metadata)
                json.WriteString(key, value);
            json.WriteEndObject();
        }

        long offset = 0;
        foreach (TensorEntry entry in entries)
        {
            json.WriteStartObject(entry.Name);
            json.WriteString("dtype", SafetensorsTypes.NameOf(entry.Type));
            json.WriteStartArray("shape");
            foreach (long size in entry.Shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset += BytesOf(entry));
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.Flush();
        // Blanks bring the data to a border of 8 bytes.
        return [.. buffer.WrittenSpan, .. new string(' ', (8 - (buffer.WrittenCount % 8)) % 8).Select(c => (byte)c)];
    }

    private static List<List<TensorEntry>> Split(List<TensorEntry> entries, long shardBytes)
    {
        List<List<TensorEntry>> shards = [[]];
        long filled = 0;
        foreach (TensorEntry entry in entries)
        {
            long bytes = BytesOf(entry);
            if (shards[^1].Count > 0 && bytes > shardBytes - filled)
            {
                shards.Add([]);
                filled = 0;
            }

            shards[^1].Add(entry);
            filled += bytes;
        }

        return shards;
    }

    private static byte[] Index(List<List<TensorEntry>> shards, string[] names)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, Json with { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.Sum(shard => shard.Sum(BytesOf)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        for (int s = 0; s < names.Length; s++)
            foreach (TensorEntry entry in shards[s])
                json.WriteString(entry.Name, names[s]);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void RemoveShards(string folder, string[] keep)
    {
        foreach (string path in Directory.EnumerateFiles(folder, "model-*-of-*.safetensors"))
        {
            string name = Path.GetFileName(path);
            bool isShard = name.Length == ShardName(1, 1).Length && int.TryParse(name.AsSpan(6, 5), out int n) && int.TryParse(name.AsSpan(15, 5), out int of) && name == ShardName(n, of);
            if (isShard && !keep.Contains(name))
                File.Delete(path);
        }
    }

    private static string ShardName(int n, int of) => $"model-{n:d5}-of-{of:d5}.safetensors";

    private static long BytesOf(TensorEntry entry) => Tensor.ByteLengthOf(entry.Type, [.. entry.Shape]);
}
