using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>Reads JSON objects, one a line, from a file (plain or gzip) or from standard input ("-"). Blank lines are passed over.</summary>
internal sealed class JsonLines : IDisposable
{
    // Guards against a small compressed file that unpacks into one endless line.
    private const int LongestLine = 1 << 28;

    private readonly string _path;
    private readonly Stream _file;
    private readonly StreamReader _reader;
    private readonly char[] _buffer = new char[16384];
    private int _at;
    private int _filled;
    private int _line;

    private JsonLines(string path, Stream file)
    {
        _path = path;
        _file = file;
        BufferedStream buffered = new(file);
        Stream text = buffered;
        if (file.CanSeek)
        {
            bool zipped = buffered.ReadByte() == 0x1F && buffered.ReadByte() == 0x8B;
            buffered.Position = 0;
            text = zipped ? new GZipStream(buffered, CompressionMode.Decompress) : buffered;
        }

        _reader = new StreamReader(text, new UTF8Encoding(false, throwOnInvalidBytes: true));
    }

    /// <summary>Names the file and the line of the last object, for messages.</summary>
    public string Source => $"{_path} line {_line}";

    /// <summary>Opens a file, or standard input for "-".</summary>
    /// <exception cref="InvalidInputException">The file is absent or cannot be read.</exception>
    public static JsonLines Open(string path)
    {
        if (path == "-")
            return new JsonLines("standard input", Console.OpenStandardInput());
        try
        {
            return new JsonLines(path, new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }

    /// <summary>How many objects a file holds, for progress; 0 for standard input, which can be read only once.</summary>
    /// <exception cref="InvalidInputException">The file is absent, cannot be read, or is damaged.</exception>
    public static long Count(string path)
    {
        if (path == "-")
            return 0;
        using JsonLines lines = Open(path);
        // A pipe under a file's name can also be read only once.
        if (!lines._file.CanSeek)
            throw new InvalidInputException(path, "file", "is a pipe; give '-' and feed it to standard input");
        long count = 0;
        while (lines.NextLine() is not null)
            count++;
        return count;
    }

    /// <summary>The next object, or null at the end.</summary>
    /// <exception cref="InvalidInputException">The line is not a JSON object, not UTF-8, or the archive is damaged.</exception>
    public JsonElement? Next()
    {
        if (NextLine() is not { } line)
            return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new InvalidInputException(Source, "line", "is not a JSON object");
        }
        catch (JsonException e)
        {
            throw new InvalidInputException(Source, "line", $"is not JSON: {e.Message}", e);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _reader.Dispose();

    private string? NextLine()
    {
        try
        {
            string? line;
            do
            {
                line = ReadLine();
                _line++;
            }
            while (line is not null && string.IsNullOrWhiteSpace(line));
            return line;
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException(_path, $"after line {_line}", "is not UTF-8", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidInputException(_path, $"after line {_line}", $"the gzip data are damaged: {e.Message}", e);
        }
    }

    private string? ReadLine()
    {
        StringBuilder line = new();
        while (true)
        {
            if (_at == _filled)
            {
                _at = 0;
                _filled = _reader.Read(_buffer);
                if (_filled == 0)
                    return line.Length == 0 ? null : line.ToString();
            }

            ReadOnlySpan<char> rest = _buffer.AsSpan(_at, _filled - _at);
            int end = rest.IndexOf('\n');
            line.Append(end < 0 ? rest : rest[..end]);
            _at += end < 0 ? rest.Length : end + 1;
            if (line.Length > LongestLine)
                throw new InvalidInputException(_path, $"line {_line + 1}", $"is longer than {LongestLine} characters");
            if (end >= 0)
                return line.ToString();
        }
    }
}
