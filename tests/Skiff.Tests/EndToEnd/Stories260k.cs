using System.IO.Compression;
using System.Text.Json;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

/// <summary>The 260K-parameter story model, and what others computed with it.</summary>
internal static class Stories260k
{
    public static string Checkpoint => Data.File("models", "stories260k", "stories260K.bin");

    public static string CheckpointV1 => Data.File("models", "stories260k", "stories260K.v1.bin");

    public static string Tokenizer => Data.File("models", "stories260k", "tok512.bin");

    public static Model Open() => Model.Open(Checkpoint, Tokenizer);

    /// <summary>The objects of a .jsonl.gz file of the model's folder.</summary>
    public static IEnumerable<JsonElement> Lines(string name)
    {
        using GZipStream stream = new(File.OpenRead(Data.File("models", "stories260k", name)), CompressionMode.Decompress);
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }
}
