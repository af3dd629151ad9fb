using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Writes GGUF version 3, little-endian, with data aligned to 32 bytes.</summary>
public static class GgufWriter
{
    private const uint Version = 3;
    private const int MostDimensions = 4;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// Writes a file. The pairs go first, in their order; the tensors follow in theirs, each fetched when its turn comes.
    /// </summary>
    /// <exception cref="InvalidInputException">
    /// A tensor's name comes twice, ggml has no such type or so many dimensions, the metadata asks for another alignment, or
    /// the file cannot be written.
    /// </exception>
    public static void Write(string path, GgufMetadata metadata, IReadOnlyList<TensorEntry> tensors)
    {
        if (metadata.TryGet(GgufHeader.AlignmentKey, out long alignment) && alignment != GgufHeader.DefaultAlignment)
            throw new InvalidInputException(path, GgufHeader.AlignmentKey, $"files are written with an alignment of {GgufHeader.DefaultAlignment}, not {alignment}; drop the key");
        Check(path, tensors);
        AtomicFile.Write(path, stream =>
        {
            WriteHeader(path, stream, metadata, tensors);
            foreach (TensorEntry entry in tensors)
            {
                TensorStream.Pad(stream, Align(stream.Position) - stream.Position);
                TensorStream.Write(stream, entry);
            }

            // ggml wants the padding after the last tensor, too; a file of metadata alone has none.
            if (tensors.Count > 0)
                TensorStream.Pad(stream, Align(stream.Position) - stream.Position);
        });
    }

    private static void Check(string path, IReadOnlyList<TensorEntry> tensors)
    {
        HashSet<string> names = [];
        foreach (TensorEntry entry in tensors)
        {
            if (entry.Name.Length == 0 || !names.Add(entry.Name))
                throw new InvalidInputException(path, entry.Name.Length == 0 ? "tensor" : entry.Name, "tensor names must be there and differ");
            if (!GgufTypes.TryNumber(entry.Type, out _))
                throw new InvalidInputException(path, entry.Name, $"gguf cannot hold {entry.Type.Name()}");
            if (entry.Shape.Count > MostDimensions)
                throw new InvalidInputException(path, entry.Name, $"{entry.Shape.Count} dimensions; gguf holds at most {MostDimensions}");
            TensorPlace.BytesOf(path, entry.Name, entry.Type, [.. entry.Shape]);
        }
    }

    private static void WriteHeader(string path, Stream stream, GgufMetadata metadata, IReadOnlyList<TensorEntry> tensors)
    {
        using BinaryWriter writer = new(stream, Utf8, leaveOpen: true);
        try
        {
            WriteHeader(writer, metadata, tensors);
        }
        catch (EncoderFallbackException e)
        {
            throw new InvalidInputException(path, "metadata", "a text holds half a surrogate pair, which has no UTF-8", e);
        }
    }

    private static void WriteHeader(BinaryWriter writer, GgufMetadata metadata, IReadOnlyList<TensorEntry> tensors)
    {
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((long)tensors.Count);
        writer.Write((long)metadata.Count);
        foreach ((string key, object value) in metadata)
        {
            Text(writer, key);
            writer.Write((uint)GgufValueTypes.Of(value.GetType())!);
            Value(writer, value);
        }

        long offset = 0;
        foreach (TensorEntry entry in tensors)
        {
            Text(writer, entry.Name);
            writer.Write(entry.Shape.Count);
            foreach (long size in entry.Shape.Reverse())
                writer.Write(size);
            GgufTypes.TryNumber(entry.Type, out uint number);
            writer.Write(number);
            writer.Write(offset);
            offset = Align(offset + Tensor.ByteLengthOf(entry.Type, [.. entry.Shape]));
        }
    }

    private static void Text(BinaryWriter writer, string text)
    {
        byte[] bytes = Utf8.GetBytes(text);
        writer.Write((long)bytes.Length);
        writer.Write(bytes);
    }

    private static void Value(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte n:
                writer.Write(n);
                break;
            case sbyte n:
                writer.Write(n);
                break;
            case ushort n:
                writer.Write(n);
                break;
            case short n:
                writer.Write(n);
                break;
            case uint n:
                writer.Write(n);
                break;
            case int n:
                writer.Write(n);
                break;
            case float n:
                writer.Write(n);
                break;
            case bool n:
                writer.Write(n);
                break;
            case ulong n:
                writer.Write(n);
                break;
            case long n:
                writer.Write(n);
                break;
            case double n:
                writer.Write(n);
                break;
            case string text:
                Text(writer, text);
                break;
            case Array array:
                // Nested arrays of any element type are Array[] in memory and arrays of arrays in the file.
                writer.Write((uint)(array is Array[]? GgufValueType.List : GgufValueTypes.Of(array.GetType().GetElementType()!)!.Value));
                writer.Write((long)array.Length);
                foreach (object element in array)
                    Value(writer, element);
                break;
            default:
                throw new InvalidOperationException($"gguf cannot hold a {value.GetType()}");
        }
    }

    private static long Align(long position) => (position + GgufHeader.DefaultAlignment - 1) / GgufHeader.DefaultAlignment * GgufHeader.DefaultAlignment;
}
