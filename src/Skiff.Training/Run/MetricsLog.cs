using System.Text;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>The lines of <c>metrics.jsonl</c>: one JSON object each, on the disk's way as soon as written.</summary>
internal sealed class MetricsLog : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;

    /// <summary>Goes on behind the lines up to a step; later ones, of steps that will be done again, are cut off.</summary>
    public MetricsLog(string path, long step)
    {
        _path = path;
        if (File.Exists(path))
            AtomicFile.WriteText(path, string.Concat(File.ReadLines(path).Where(line => StepOf(line) is { } at && at <= step).Select(line => line + "\n")));
        try
        {
            _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "metrics", $"cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Writes a line; <paramref name="members"/> fills the object.</summary>
    public void Write(Action<Utf8JsonWriter> members)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        try
        {
            _file.Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
        }
        catch (IOException e)
        {
            throw new InvalidInputException(_path, "metrics", $"cannot be written: {e.Message}", e);
        }
    }

    public void Dispose() => _file.Dispose();

    // A line cut short, or of a stop that was mended, tells no step that counts.
    private static long? StepOf(string line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(Encoding.UTF8.GetBytes(line));
            JsonElement root = json.RootElement;
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("step", out JsonElement step) && step.TryGetInt64(out long at)
                && !root.TryGetProperty("done", out _) && !root.TryGetProperty("stopped", out _) ? at : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
