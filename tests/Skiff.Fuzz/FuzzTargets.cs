using Skiff.Models;

namespace Skiff.Fuzz;

/// <summary>
/// Every parser of untrusted bytes by name. A target returns, or refuses with an InvalidInputException; anything else is
/// a finding. The mutation tests run the same table. A new parser is one line here.
/// </summary>
internal static class FuzzTargets
{
    public static IReadOnlyDictionary<string, Action<byte[]>> All { get; } = new SortedDictionary<string, Action<byte[]>>(StringComparer.Ordinal)
    {
        ["config.json"] = input => ModelConfig.Parse(input, "x"),
        ["gguf"] = input => GgufHeader.Parse(input, input.Length, "x"),
        ["jsonl"] = input => Read("input.jsonl", input),
        ["llama2c"] = input => Llama2cLayout.Parse(input, input.Length, "x"),
        ["llama2c-tokenizer"] = input => _ = new Tokenizer(Llama2cTokenizerReader.Read(input, "x")),
        ["safetensors"] = input => SafetensorsHeader.Parse(input, input.Length, "x"),
        ["safetensors.index.json"] = input => SafetensorsIndex.Parse(input, "x"),
        ["sentencepiece"] = input => _ = new Tokenizer(SentencePieceReader.Read(input, "x")),
        ["text.gz"] = input => Read("input.txt.gz", input),
        ["tiktoken"] = input => _ = new Tokenizer(TiktokenReader.Read(input, "x")),
        ["tokenizer.json"] = input => Tokenizer.FromJson(input, "x"),
    };

    // Small chunks, so that short inputs are cut as well.
    private static void Read(string name, byte[] input)
    {
        TextChunker chunker = new(name, 16, KnownPattern.Llama3, ["<e>"u8.ToArray()], _ => { });
        TextFileReader.Read(name, new MemoryStream(input), chunker, () => { });
        chunker.Flush();
    }
}
