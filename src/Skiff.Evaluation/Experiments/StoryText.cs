using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>The data folder's stories and children's books, whole ones kept for measuring.</summary>
internal sealed record StoryText
{
    // Documents are packed into rows: of a book, pieces of about this many characters at paragraph ends.
    private const int PieceLength = 6000;

    // One of so many is kept for measuring.
    private const int HeldOutOfStories = 20, HeldOutOfBooks = 11;

    /// <summary>Stories to train on.</summary>
    public required IReadOnlyList<string> Stories { get; init; }

    /// <summary>These, and pieces of books.</summary>
    public required IReadOnlyList<string> Training { get; init; }

    /// <summary>Stories that are measured on.</summary>
    public required IReadOnlyList<string> HeldOutStories { get; init; }

    /// <summary>These, and pieces of books.</summary>
    public required IReadOnlyList<string> HeldOut { get; init; }

    /// <summary>A whole book that is measured on.</summary>
    public required string HeldOutBook { get; init; }

    /// <summary>Reads them.</summary>
    /// <param name="data">The data folder.</param>
    /// <exception cref="InvalidInputException">A file is not there.</exception>
    public static StoryText Read(string data)
    {
        string[] stories = [.. Documents(Path.Combine(data, "text", "tinystories-v1-train.jsonl.gz")), .. Documents(Path.Combine(data, "text", "tinystories-v2-gpt4.jsonl.gz"))];
        string[] books = [.. Documents(Path.Combine(data, "text", "childrens-books.jsonl.gz"))];
        string[] heldOutStories = [.. stories.Where((_, i) => i % HeldOutOfStories == 0)], heldOutBooks = [.. books.Where((_, i) => i % HeldOutOfBooks == 0)];
        stories = [.. stories.Where((_, i) => i % HeldOutOfStories != 0)];
        return new StoryText
        {
            Stories = stories,
            Training = [.. stories, .. books.Where((_, i) => i % HeldOutOfBooks != 0).SelectMany(Pieces)],
            HeldOutStories = heldOutStories,
            HeldOut = [.. heldOutStories, .. heldOutBooks.SelectMany(Pieces)],
            HeldOutBook = heldOutBooks.MaxBy(book => book.Length)!,
        };
    }

    /// <summary>Writes texts, a line of JSON each.</summary>
    public static void Write(string path, IEnumerable<string> texts) => AtomicFile.Write(path, stream =>
    {
        foreach (string text in texts)
        {
            stream.Write(Encoding.UTF8.GetBytes(new JsonObject { ["text"] = text }.ToJsonString()));
            stream.WriteByte((byte)'\n');
        }
    });

    private static IEnumerable<string> Documents(string path)
    {
        if (!File.Exists(path))
            throw new InvalidInputException(path, "file", "is not there: --data names the folder that holds 'text'");
        using StreamReader reader = new(new GZipStream(File.OpenRead(path), CompressionMode.Decompress), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
            yield return JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!;
    }

    private static IEnumerable<string> Pieces(string book)
    {
        StringBuilder piece = new();
        foreach (string paragraph in book.Split("\n\n"))
        {
            piece.Append(piece.Length > 0 ? "\n\n" : "").Append(paragraph);
            if (piece.Length < PieceLength)
                continue;
            yield return piece.ToString();
            piece.Clear();
        }

        if (piece.Length > 0)
            yield return piece.ToString();
    }
}
