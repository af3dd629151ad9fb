using System.Text;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Fuzz;

/// <summary>
/// Every parser of untrusted bytes by name. A target returns, or refuses with an InvalidInputException; anything else is
/// a finding. The mutation tests run the same table. A new parser is one line here.
/// </summary>
internal static class FuzzTargets
{
    private static readonly JinjaOptions s_template = JinjaOptions.Chat with { MaxSteps = 5_000, MaxOutput = 50_000 };

    private static readonly Dictionary<string, object?> s_variables = new()
    {
        ["messages"] = new List<object?> { new Dictionary<string, object?> { ["role"] = "user", ["content"] = "Hi" } },
        ["add_generation_prompt"] = true,
        ["bos_token"] = "<s>",
    };

    // The last message is written otherwise than the others, so every way of finding the assistant's part is gone.
    private static readonly AssistantSpans s_chat = new(
        ChatTemplate.Parse("{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last else m.content | trim }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", options: s_template), ["</s>"], "</s>");

    public static IReadOnlyDictionary<string, Action<byte[]>> All { get; } = new SortedDictionary<string, Action<byte[]>>(StringComparer.Ordinal)
    {
        ["chat.jsonl"] = input => s_chat.Render(ChatRecord.Parse(input, "x", 1)),
        ["config.json"] = input => _ = ModelConfig.Parse(input, "x").ParameterCount,
        ["gguf"] = input => GgufHeader.Parse(input, input.Length, "x"),
        ["jinja"] = input => JinjaTemplate.Parse(Encoding.UTF8.GetString(input), "x", s_template).Render(s_variables),
        ["jsonl"] = input => Read("input.jsonl", input),
        ["llama2c"] = input => Llama2cLayout.Parse(input, input.Length, "x"),
        ["llama2c-tokenizer"] = input => Use(new Tokenizer(Llama2cTokenizerReader.Read(input, "x"))),
        ["metrics.jsonl"] = input => MetricsLine.TryParse(input),
        ["recipe"] = input => Reread(Recipe.Parse(RecipeYaml.Decode(input, "x.yaml"), "x.yaml", [])),
        ["safetensors"] = input => SafetensorsHeader.Parse(input, input.Length, "x"),
        ["safetensors.index.json"] = input => SafetensorsIndex.Parse(input, "x"),
        ["sentencepiece"] = input => Use(new Tokenizer(SentencePieceReader.Read(input, "x"))),
        ["text.gz"] = input => Read("input.txt.gz", input),
        ["tiktoken"] = input => Use(new Tokenizer(TiktokenReader.Build(TiktokenReader.ReadRanks(input, "x"), SplitPatterns.Llama3, [], (null, null), addsBos: false, "x"))),
        ["token-shard"] = Shard,
        ["tokenizer.json"] = input => Use(Tokenizer.FromJson(input, "x")),
    };

    // The checksum would hide nearly every mutant from the checks behind it.
    private static void Shard(byte[] input)
    {
        byte[] bytes = [.. input];
        if (bytes.Length >= ShardHeader.Size)
            ShardHeader.Seal(bytes);
        ShardHeader header = ShardHeader.Parse(bytes, bytes.Length, "x");
        ShardTable.Check(bytes.AsSpan(header.TableAt), header, "x");
    }

    // What was accepted must be written so that it is read the same.
    private static void Reread(Recipe recipe)
    {
        string yaml = recipe.ToYaml();
        string again;
        try
        {
            again = Recipe.Parse(yaml, "y.yaml", []).ToYaml();
        }
        catch (InvalidInputException e)
        {
            throw new InvalidOperationException($"written as what is refused: {e.Message}", e);
        }

        if (again != yaml)
            throw new InvalidOperationException($"written as something else: {yaml}");
    }

    // A tokenizer that was accepted must also run.
    private static void Use(Tokenizer tokenizer)
    {
        int[] ids = tokenizer.Encode("ab <s> c\u00E9  12 'll\n\uD83D\uDE00");
        tokenizer.Decode(ids, skipSpecial: true);
    }

    // Small chunks, so that short inputs are cut as well.
    private static void Read(string name, byte[] input)
    {
        TextChunker chunker = new(name, 16, KnownPattern.Llama3, ["<e>"u8.ToArray()], _ => { });
        TextFileReader.Read(name, new MemoryStream(input), chunker, () => { });
        chunker.Flush();
    }
}
