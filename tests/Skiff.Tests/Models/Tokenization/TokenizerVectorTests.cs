using System.Text.Json;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

/// <summary>Ids and texts published with llama.cpp's vocabularies and by Hugging Face.</summary>
public sealed class TokenizerVectorTests
{
    [Theory]
    [InlineData("gpt2", "gpt-2")]
    [InlineData("gguf/ggml-vocab-gpt-2.gguf", "gpt-2")]
    [InlineData("gguf/ggml-vocab-llama-spm.gguf", "llama-spm")]
    [InlineData("gguf/ggml-vocab-phi-3.gguf", "phi-3")]
    [InlineData("llama2/tokenizer.model", "llama-spm")]
    [InlineData("llama2/tokenizer.bin", "llama-spm")]
    [InlineData("phi3", "phi-3")]
    [InlineData("llama3/tokenizer.model", "llama-bpe")]
    [InlineData("qwen2", "qwen2")]
    public void EveryPublishedInputGetsThePublishedIds(string tokenizerPath, string vectors)
    {
        Tokenizer tokenizer = TokenizerData.Load(tokenizerPath);
        string[] inputs = File.ReadAllText(Data.File("tokenizers", "gguf", $"ggml-vocab-{vectors}.gguf.inp")).Split("\n__ggml_vocab_test__\n")[..^1];
        string[] expected = File.ReadAllLines(Data.File("tokenizers", "gguf", $"ggml-vocab-{vectors}.gguf.out"));
        Assert.Equal(46, inputs.Length);
        for (int i = 0; i < inputs.Length; i++)
        {
            int[] ids = [.. expected[i].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
            Assert.True(ids.SequenceEqual(tokenizer.Encode(inputs[i], addSpecial: false)), $"{i}: {JsonSerializer.Serialize(inputs[i])} gave {string.Join(' ', tokenizer.Encode(inputs[i], addSpecial: false))}");
            if (vectors != "qwen2")
                Assert.Equal(inputs[i], tokenizer.Decode(ids));
        }
    }

    [Theory]
    [InlineData("gpt2", "gpt2")]
    [InlineData("phi2-codegen/tokenizer.json", "gpt2")]
    [InlineData("llama2/tokenizer.model", "llama2")]
    [InlineData("llama2/tokenizer.bin", "llama2")]
    public void HuggingFacesTextsGetItsIdsAndComeBack(string tokenizerPath, string vectors)
    {
        Tokenizer tokenizer = TokenizerData.Load(tokenizerPath);
        string[] lines = File.ReadAllLines(Data.File("tokenizers", "vectors", vectors + ".jsonl"));
        Assert.Equal(18, lines.Length);
        foreach (string line in lines)
        {
            JsonElement vector = JsonDocument.Parse(line).RootElement;
            string text = vector.GetProperty("text").GetString()!;
            int[] ids = [.. vector.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            // CodeGen has tokens for runs of spaces that GPT-2 has not.
            if (!tokenizerPath.StartsWith("phi2", StringComparison.Ordinal) || !text.Contains("  ", StringComparison.Ordinal))
                Assert.Equal(ids, tokenizer.Encode(text));
            if (vectors == "gpt2")
            {
                // The published texts were cleaned of spaces before signs; ours are exact.
                Assert.Equal(text, tokenizer.Decode(ids));
                continue;
            }

            Assert.Equal(vector.GetProperty("decoded_with_special").GetString(), tokenizer.Decode(ids));
            Assert.Equal(vector.GetProperty("decoded_without_special").GetString(), tokenizer.Decode(ids, skipSpecial: true));
        }
    }
}
