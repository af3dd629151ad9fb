using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>
/// The texts of the anchor experiment: children's books and stories, and made-up episodes whose sentences between come from the stories.
/// Whole books and stories are kept for measuring.
/// </summary>
internal sealed class AnchorCorpus
{
    // Documents are packed into rows: of a book, pieces of about this many characters at paragraph ends.
    private const int PieceLength = 6000;

    // One of so many stories is kept for measuring, and this book of the children's.
    private const int HeldOutStories = 20;
    private const int HeldOutBooks = 11;

    private AnchorCorpus(IReadOnlyList<string> files, Passages heldOutPassages, IReadOnlyList<string> heldOutTexts, string heldOutBook) =>
        (Files, HeldOutPassages, HeldOutTexts, HeldOutBook) = (files, heldOutPassages, heldOutTexts, heldOutBook);

    /// <summary>The files of training: <c>text</c>, and episodes <c>near</c>, <c>far</c> and <c>echo</c>.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Sentences for items that are measured on.</summary>
    public Passages HeldOutPassages { get; }

    /// <summary>Stories and pieces of books that are measured on.</summary>
    public IReadOnlyList<string> HeldOutTexts { get; }

    /// <summary>A whole book that is measured on.</summary>
    public string HeldOutBook { get; }

    /// <summary>Reads the data folder and writes the files of training, unless they are there.</summary>
    /// <param name="data">The data folder.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="episodes">How many episodes.</param>
    public static AnchorCorpus Build(string data, string folder, int episodes)
    {
        string[] stories = [.. Documents(Path.Combine(data, "text", "tinystories-v1-train.jsonl.gz")), .. Documents(Path.Combine(data, "text", "tinystories-v2-gpt4.jsonl.gz"))];
        string[] books = [.. Documents(Path.Combine(data, "text", "childrens-books.jsonl.gz"))];
        string[] heldOutStories = [.. stories.Where((_, i) => i % HeldOutStories == 0)], heldOutBooks = [.. books.Where((_, i) => i % HeldOutBooks == 0)];
        stories = [.. stories.Where((_, i) => i % HeldOutStories != 0)];
        string text = Path.Combine(folder, "text.jsonl"), near = Path.Combine(folder, "near.jsonl"), far = Path.Combine(folder, "far.jsonl"), echo = Path.Combine(folder, "echo.jsonl");
        Directory.CreateDirectory(folder);
        if (!File.Exists(text))
            Write(text, stories.Concat(books.Where((_, i) => i % HeldOutBooks != 0).SelectMany(Pieces)));
        Episodes world = new(new Passages(stories));
        SplitMix64 random = new(1);
        foreach ((string path, Func<string> next) in new (string, Func<string>)[] { (near, () => world.Text(random, far: false)), (far, () => world.Text(random, far: true)), (echo, () => world.Echo(random)) })
        {
            if (!File.Exists(path))
                Write(path, Enumerable.Range(0, episodes).Select(_ => next()));
        }

        return new AnchorCorpus([text, near, far, echo], new Passages(heldOutStories), [.. heldOutStories, .. heldOutBooks.SelectMany(Pieces)], heldOutBooks.MaxBy(book => book.Length)!);
    }

    private static void Write(string path, IEnumerable<string> texts) => AtomicFile.Write(path, stream =>
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
