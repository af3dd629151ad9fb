using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Tells the tokenizer formats apart and reads what a path holds.</summary>
internal static class TokenizerFiles
{
    // The largest published tokenizer files are under 40 MB.
    private const long MostBytes = 256L << 20;

    /// <summary>Reads a folder or a file.</summary>
    /// <exception cref="InvalidInputException">Nothing there can be read as a tokenizer.</exception>
    public static TokenizerSpec Read(string path)
    {
        if (!Directory.Exists(path))
            return ReadFile(path);
        JsonField? config = Json(path, HuggingFaceReader.ConfigFile);
        JsonField? map = Json(path, "special_tokens_map.json");
        string? chat = Template(path);
        if (Json(path, "tokenizer.json") is JsonField root)
            return HuggingFaceReader.Read(root, config, map, chat);
        if (Json(path, "vocab.json") is JsonField vocabulary && File.Exists(Path.Combine(path, "merges.txt")))
            return VocabularyMergesReader.Read(vocabulary, Path.Combine(path, "merges.txt"), config, map, chat);
        foreach (string name in new[] { "tokenizer.model", "tokenizer.bin" })
        {
            string file = Path.Combine(path, name);
            if (File.Exists(file))
            {
                TokenizerSpec spec = ReadFile(file);
                return HuggingFaceReader.Complete(spec, [.. spec.AddedTokens], config, map, chat);
            }
        }

        throw new InvalidInputException(path, "tokenizer", "the folder has no tokenizer.json, vocab.json with merges.txt, tokenizer.model or tokenizer.bin");
    }

    /// <summary>The bytes of a file of reasonable size.</summary>
    /// <exception cref="InvalidInputException">The file is absent, unreadable or far too large.</exception>
    public static byte[] Bytes(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        return file.Length <= MostBytes
            ? file.Span(0, (int)file.Length).ToArray()
            : throw new InvalidInputException(path, "file", $"holds {file.Length} bytes; a tokenizer may have {MostBytes}");
    }

    /// <summary>The text of a file in UTF-8.</summary>
    /// <exception cref="InvalidInputException">The file is absent or not UTF-8.</exception>
    public static string Text(string path)
    {
        ReadOnlySpan<byte> bytes = Bytes(path);
        if (bytes.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException(path, "text", "is not UTF-8", e);
        }
    }

    private static TokenizerSpec ReadFile(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using (MappedFile file = MappedFile.Open(path))
        {
            ReadOnlySpan<byte> start = file.Span(0, (int)Math.Min(4, file.Length));
            if (start.SequenceEqual("GGUF"u8))
            {
                using GgufFile gguf = GgufFile.Open(path);
                return GgufVocabularyReader.Read(gguf.Metadata, path);
            }
        }

        byte[] bytes = Bytes(path);
        if (Path.GetExtension(path).Equals(".bin", StringComparison.OrdinalIgnoreCase))
            return Llama2cTokenizerReader.Read(bytes, path);
        ReadOnlySpan<byte> text = bytes.AsSpan().TrimStart(" \t\r\n\uFEFF"u8);
        if (text.Length > 0 && text[0] == '{')
            return HuggingFaceReader.Read(JsonField.Parse(bytes, path), Json(folder, HuggingFaceReader.ConfigFile), Json(folder, "special_tokens_map.json"), Template(folder));
        if (bytes.Length > 0 && bytes[0] == 0x0A)
            return SentencePieceReader.Read(bytes, path);
        if (bytes.Length > 0 && (char.IsAsciiLetterOrDigit((char)bytes[0]) || bytes[0] is (byte)'+' or (byte)'/'))
            return TiktokenReader.Read(bytes, path);
        throw new InvalidInputException(path, "file", "is no tokenizer.json, SentencePiece model, tiktoken table, llama2.c tokenizer (.bin) or GGUF file");
    }

    private static string? Template(string folder)
    {
        string path = Path.Combine(folder, "chat_template.jinja");
        return File.Exists(path) ? Text(path) : null;
    }

    private static JsonField? Json(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? JsonField.Parse(Bytes(path), path) : null;
    }
}
