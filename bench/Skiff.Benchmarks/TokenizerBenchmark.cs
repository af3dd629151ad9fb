using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace Skiff.Benchmarks;

/// <summary>
/// Encoding speed on the children's books with the GPT-2 vocabulary, one thread, against both tokenizers of
/// Microsoft.ML.Tokenizers that can run it; every id is compared.
/// </summary>
internal static partial class TokenizerBenchmark
{
    private const int Rounds = 9;

    public static void Run()
    {
        string vocabulary = Bench.DataFile("tokenizers", "gpt2", "vocab.json"), merges = Bench.DataFile("tokenizers", "gpt2", "merges.txt");
        string[] texts = [.. Texts(Bench.DataFile("text", "childrens-books.jsonl.gz"))];
        long bytes = texts.Sum(text => (long)Encoding.UTF8.GetByteCount(text));

        Skiff.Models.Tokenizer ours = Skiff.Models.Tokenizer.Load(Path.GetDirectoryName(vocabulary)!);
        RegexPreTokenizer pattern = new(Gpt2(), null);
        BpeTokenizer bpe = BpeTokenizer.Create(new BpeOptions(vocabulary, merges) { ByteLevel = true, PreTokenizer = pattern });
        using MemoryStream ranks = new(Ranks(vocabulary));
        TiktokenTokenizer tiktoken = TiktokenTokenizer.Create(ranks, pattern, null, null, 8192);

        foreach (string text in texts)
        {
            int[] ids = ours.Encode(text, addSpecial: false, parseSpecial: false);
            if (!ids.AsSpan().SequenceEqual([.. tiktoken.EncodeToIds(text)]) || !ids.AsSpan().SequenceEqual([.. bpe.EncodeToIds(text)]))
                throw new InvalidOperationException("the ids differ");
        }

        long tokens = 0;
        double[][] seconds = Bench.Interleave(
            Rounds,
            () => tokens = texts.Sum(text => (long)ours.Encode(text, addSpecial: false, parseSpecial: false).Length),
            () => tokens = texts.Sum(text => (long)tiktoken.EncodeToIds(text).Count),
            () => tokens = texts.Sum(text => (long)bpe.EncodeToIds(text).Count));

        Console.WriteLine($"childrens-books.jsonl.gz, {texts.Length} texts, {bytes} bytes, {tokens} tokens, all ids equal; median of {Rounds} interleaved rounds, one thread.");
        Console.WriteLine();
        Console.WriteLine("| tokenizer | MB/s (median) | lowest | highest | Skiff is faster by |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        string[] names = ["Skiff", "Microsoft.ML.Tokenizers 2.0.1, TiktokenTokenizer", "Microsoft.ML.Tokenizers 2.0.1, BpeTokenizer"];
        double own = Bench.Median(seconds[0]);
        for (int i = 0; i < names.Length; i++)
        {
            string Rate(double value) => Bench.Format(bytes / value / 1e6, "0.0");
            double median = Bench.Median(seconds[i]);
            Console.WriteLine($"| {names[i]} | {Rate(median)} | {Rate(seconds[i].Max())} | {Rate(seconds[i].Min())} | {(i == 0 ? "" : Bench.Format(median / own) + "x")} |");
        }

        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    private static IEnumerable<string> Texts(string path)
    {
        using StreamReader lines = new(new GZipStream(File.OpenRead(path), CompressionMode.Decompress), Encoding.UTF8);
        while (lines.ReadLine() is string line)
        {
            using JsonDocument record = JsonDocument.Parse(line);
            yield return record.RootElement.GetProperty("text").GetString()!;
        }
    }

    // The rank file that tiktoken reads: GPT-2's ids are its ranks.
    private static byte[] Ranks(string vocabulary)
    {
        StringBuilder lines = new();
        foreach ((string token, int id) in JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllText(vocabulary))!.OrderBy(entry => entry.Value))
        {
            if (token != "<|endoftext|>")
                lines.Append(Convert.ToBase64String([.. token.Select(ByteOf)])).Append(' ').Append(id).Append('\n');
        }

        return Encoding.UTF8.GetBytes(lines.ToString());
    }

    // The 68 bytes that do not print stand at U+0100 and up, in order.
    private static byte ByteOf(char c)
    {
        if (c < 256)
            return (byte)c;
        int index = c - 256;
        return (byte)(index <= 32 ? index : index <= 66 ? index - 33 + 127 : 173);
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2();
}
