using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Skiff.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

/// <summary>A folder with a corpus and its shards, made from random texts.</summary>
internal sealed class Corpus : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static Tokenizer Tokenizer { get; } = ByteLevelTokenizer.Create(600);

    public string Root => _folder.Path;

    public string Shards => _folder.File("shards");

    public static string[] Texts(int count, int longest, int seed = 1)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i} ")
            + string.Concat(Enumerable.Range(0, random.Next(longest)).Select(_ => random.Next(5) switch { 0 => " ", 1 => "é", _ => ((char)random.Next('a', 'e')).ToString() })))];
    }

    public string Write(string name, IEnumerable<string> texts)
    {
        string path = _folder.File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string content = name.Contains(".jsonl", StringComparison.Ordinal)
            ? string.Concat(texts.Select(text => JsonSerializer.Serialize(new { text }) + "\n"))
            : string.Concat(texts);
        using Stream file = File.Create(path);
        using Stream stream = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        stream.Write(Encoding.UTF8.GetBytes(content));
        return path;
    }

    public TokenShardResult Build(string source, TokenShardOptions? options = null, string? folder = null, IProgress<TokenShardProgress>? progress = null) =>
        TokenShards.Build([source], Tokenizer, folder ?? Shards, options, progress, TestContext.Current.CancellationToken);

    /// <summary>The bytes of every shard.</summary>
    public static List<byte[]> Bytes(string folder) =>
        [.. Directory.GetFiles(folder, "shard-*").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    /// <summary>What a document must become.</summary>
    public static int[] Ids(string text) => [.. Tokenizer.Encode(text, addSpecial: false, parseSpecial: false), Tokenizer.EosId!.Value];

    public void Dispose() => _folder.Dispose();
}
