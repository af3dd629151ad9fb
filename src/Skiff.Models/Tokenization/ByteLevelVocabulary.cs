using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A byte-level BPE tokenizer as <c>tokenizer.json</c> holds it (the layout of Hugging Face tokenizers): what
/// <see cref="BpeTrainer"/> and <see cref="ByteLevelTokenizer"/> make.
/// </summary>
/// <param name="Tokens">Every token by id, spelled in GPT-2's byte alphabet; special tokens as they are.</param>
/// <param name="Merges">Pairs of ids to join, first rank first.</param>
/// <param name="SpecialIds">Ids of the special tokens, ascending. The first one ends a text.</param>
/// <param name="Pattern">The splitting pattern: <c>gpt2</c>, <c>llama3</c> or <c>qwen2</c>.</param>
public sealed record ByteLevelVocabulary(
    IReadOnlyList<string> Tokens, IReadOnlyList<(int First, int Second)> Merges, IReadOnlyList<int> SpecialIds, string Pattern)
{
    private static readonly JsonWriterOptions Indented = new()
    {
        Indented = true,
        // Files of the family hold "Ġthe" as such, not as \u0120the.
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes <c>tokenizer.json</c>.</summary>
    public void WriteTokenizer(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (int id in SpecialIds)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            WriteAddedToken(json, Tokens[id]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        json.WritePropertyName("pre_tokenizer");
        WritePreTokenizer(json);
        json.WriteNull("post_processor");
        json.WritePropertyName("decoder");
        WriteByteLevel(json, useRegex: true);
        WriteModel(json);
        json.WriteEndObject();
    }

    /// <summary>Writes <c>tokenizer_config.json</c>.</summary>
    public void WriteConfig(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, Indented);
        json.WriteStartObject();
        json.WriteBoolean("add_prefix_space", false);
        json.WriteStartObject("added_tokens_decoder");
        foreach (int id in SpecialIds)
        {
            json.WriteStartObject(id.ToString());
            WriteAddedToken(json, Tokens[id]);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        if (SpecialIds.Count > 0)
        {
            json.WriteString("bos_token", Tokens[SpecialIds[0]]);
            json.WriteString("eos_token", Tokens[SpecialIds[0]]);
        }

        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        json.WriteEndObject();
    }

    /// <summary>Writes both files into a folder, which is made where it is absent; each appears whole or not at all.</summary>
    /// <exception cref="InvalidInputException">The folder cannot be written.</exception>
    public void Save(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            Replace(Path.Combine(folder, "tokenizer.json"), WriteTokenizer);
            Replace(Path.Combine(folder, "tokenizer_config.json"), WriteConfig);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(folder, "folder", $"cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Refuses special tokens that are empty, given twice, or spelled like one of the 256 bytes.</summary>
    internal static void CheckSpecialTokens(IReadOnlyList<string> tokens)
    {
        HashSet<string> seen = [.. ByteAlphabet.Chars.ToArray().Select(c => c.ToString())];
        foreach (string token in tokens)
        {
            if (string.IsNullOrWhiteSpace(token))
                throw new InvalidInputException("special token", $"\"{token}\"", "is empty");
            if (!seen.Add(token))
                throw new InvalidInputException("special token", token, token.Length == 1 ? "is the spelling of a byte" : "is given twice");
        }
    }

    private static void WriteAddedToken(Utf8JsonWriter json, string content)
    {
        json.WriteString("content", content);
        json.WriteBoolean("single_word", false);
        json.WriteBoolean("lstrip", false);
        json.WriteBoolean("rstrip", false);
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", true);
    }

    private void WritePreTokenizer(Utf8JsonWriter json)
    {
        if (Pattern == "gpt2")
        {
            WriteByteLevel(json, useRegex: true);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", Pattern == "llama3" ? SplitPatterns.Llama3 : SplitPatterns.Qwen2);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        WriteByteLevel(json, useRegex: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, bool useRegex)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < Tokens.Count; id++)
            json.WriteNumber(Tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int first, int second) in Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(Tokens[first]);
            json.WriteStringValue(Tokens[second]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Replace(string path, Action<Stream> write)
    {
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
