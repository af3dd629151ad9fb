using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

/// <summary>The tokenizers of the data folder, each loaded once.</summary>
internal static class TokenizerData
{
    private static readonly ConcurrentDictionary<string, Lazy<Tokenizer>> s_loaded = [];

    private static readonly Lazy<string> s_books = new(ReadBooks);

    /// <summary>Every tokenizer there is, by path below <c>tokenizers</c> or <c>models</c>.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "gpt2", "qwen2", "phi3", "phi2-codegen/tokenizer.json", "gpt-neox/tokenizer.json", "smollm2/tokenizer.json", "dolma2/tokenizer.json",
        "llama2/tokenizer.model", "llama2/tokenizer.bin", "llama3/tokenizer.model", "sentencepiece/test_model.model",
        "gguf/ggml-vocab-gpt-2.gguf", "gguf/ggml-vocab-gpt-neox.gguf", "gguf/ggml-vocab-llama-spm.gguf", "gguf/ggml-vocab-phi-3.gguf",
        "../models/stories260k/tok512.model", "../models/stories260k/tok512.bin",
    ];

    /// <summary>The children's books, joined.</summary>
    public static string Books => s_books.Value;

    /// <summary>One tokenizer.</summary>
    public static Tokenizer Load(string path) =>
        s_loaded.GetOrAdd(path, p => new Lazy<Tokenizer>(() => Tokenizer.Load(Data.File("tokenizers", p)))).Value;

    private static string ReadBooks()
    {
        using StreamReader reader = new(new GZipStream(File.OpenRead(Data.File("text", "childrens-books.jsonl.gz")), CompressionMode.Decompress));
        StringBuilder text = new();
        while (reader.ReadLine() is string line)
            text.Append(JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()).Append('\n');
        return text.ToString();
    }
}
