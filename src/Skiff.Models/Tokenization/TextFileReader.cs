using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Streams UTF-8 text into a <see cref="ITextSink"/>: a plain file is one document, a line of JSON is one, its
/// <c>text</c>. Names ending in <c>.gz</c> are decompressed.
/// </summary>
internal static class TextFileReader
{
    /// <summary>Longest line of a JSON lines file, in bytes.</summary>
    public const int LongestLine = 1 << 28;

    private const int BufferSize = 1 << 16;

    /// <summary>Reads a file from end to end; <paramref name="read"/> is told the bytes taken from disk so far.</summary>
    /// <exception cref="InvalidInputException">The file cannot be read, is not UTF-8, or a line has no <c>text</c>.</exception>
    public static void Read(string path, ITextSink sink, Action<long> read) => Open(path, file => Read(path, file, sink, () => read(file.Position)));

    /// <summary>Reads a stream as the file <paramref name="name"/> would be read; <paramref name="tick"/> is called now and then.</summary>
    public static void Read(string name, Stream file, ITextSink sink, Action tick) => Decompress(name, file, text =>
    {
        if (IsJsonLines(name))
            ReadLines(name, text, (line, record) => ReadRecord(name, line, record, sink), tick);
        else
            ReadPlain(text, sink, tick);
    });

    /// <summary>Hands out the lines of a file that are not blank, with their numbers from 1.</summary>
    /// <exception cref="InvalidInputException">The file cannot be read, or a line is too long.</exception>
    public static void ReadLines(string path, Action<long, ReadOnlySpan<byte>> take, Action<long> read) =>
        Open(path, file => Decompress(path, file, text => ReadLines(path, text, take, () => read(file.Position))));

    /// <summary>Whether a file of this name holds a document a line.</summary>
    public static bool IsJsonLines(string name) =>
        name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".jsonl.gz", StringComparison.OrdinalIgnoreCase);

    private static void Open(string path, Action<FileStream> read)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            read(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }

    private static void Decompress(string name, Stream file, Action<Stream> read)
    {
        try
        {
            using Stream text = name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GzipText(file) : file;
            read(text);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidInputException(name, "gzip", e.Message, e);
        }
    }

    private static void ReadPlain(Stream text, ITextSink sink, Action tick)
    {
        Span<byte> mark = stackalloc byte[3];
        mark = mark[..text.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false)];
        sink.Position = MarkLength(mark);
        mark = mark[MarkLength(mark)..];
        mark.CopyTo(sink.Room(mark.Length));
        sink.Advance(mark.Length);
        int count;
        do
        {
            count = text.Read(sink.Room(BufferSize));
            sink.Advance(count);
            tick();
        }
        while (count > 0);

        sink.EndDocument();
    }

    private static void ReadLines(string name, Stream text, Action<long, ReadOnlySpan<byte>> take, Action tick)
    {
        byte[] buffer = new byte[BufferSize];
        int start = 0, end = 0;
        long line = 0;
        bool more = true;
        while (more || start < end)
        {
            int length = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            if (length < 0 && more)
            {
                // The line goes on beyond the buffer.
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, end) = (0, end - start);
                if (end > LongestLine)
                    throw new InvalidInputException(name, $"line {line + 1}", $"longer than {LongestLine} bytes");
                if (end > buffer.Length / 2)
                    Array.Resize(ref buffer, 2 * buffer.Length);
                int count = text.ReadAtLeast(buffer.AsSpan(end), buffer.Length - end, throwOnEndOfStream: false);
                more = count == buffer.Length - end;
                end += count;
                tick();
                continue;
            }

            if (length < 0)
                length = end - start;
            ReadOnlySpan<byte> record = buffer.AsSpan(start, length);
            if (line == 0)
                record = record[MarkLength(record)..];
            line++;
            if (record.ContainsAnyExcept(" \t\r"u8))
                take(line, record);
            start = Math.Min(end, start + length + 1);
        }
    }

    private static void ReadRecord(string name, long line, ReadOnlySpan<byte> record, ITextSink sink)
    {
        bool found = false;
        try
        {
            Utf8JsonReader json = new(record);
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
                throw new InvalidInputException(name, $"line {line}", "not a JSON object");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                bool isText = !found && json.ValueTextEquals("text"u8);
                json.Read();
                if (!isText)
                {
                    json.Skip();
                    continue;
                }

                if (json.TokenType != JsonTokenType.String)
                    throw new InvalidInputException(name, $"line {line}", "\"text\" is no string");
                sink.Advance(json.CopyString(sink.Room(json.ValueSpan.Length)));
                sink.EndDocument();
                found = true;
            }

            // Reading on to the end refuses whatever follows the object.
            while (json.Read())
            {
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidInputException(name, $"line {line}", $"no valid JSON: {e.Message}", e);
        }

        if (!found)
            throw new InvalidInputException(name, $"line {line}", "has no \"text\"");
    }

    // A byte order mark is no text.
    private static int MarkLength(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\uFEFF"u8) ? 3 : 0;
}
