using System.Buffers.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads tiktoken's table of ranks: a line <c>base64 rank</c> for each token. The rank is the id.</summary>
internal static class TiktokenReader
{
    private const int Llama3Tokens = 128_000;
    private const int Cl100kTokens = 100_256;
    private const int Gpt2Tokens = 50_256;

    private static readonly string[] s_llama3Special =
    [
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>",
        "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
    ];

    /// <summary>Reads the table; its size tells which family's splitting and special tokens go with it.</summary>
    /// <exception cref="InvalidInputException">A line is malformed or the size is of no known family.</exception>
    public static TokenizerSpec Read(ReadOnlySpan<byte> bytes, string source)
    {
        Vocabulary vocabulary = ReadRanks(bytes, source);
        return vocabulary.Count switch
        {
            Llama3Tokens => Build(vocabulary, SplitPatterns.Llama3, [.. Llama3Special()], ("<|begin_of_text|>", "<|end_of_text|>"), addsBos: true, source),
            Cl100kTokens => Build(
                vocabulary,
                SplitPatterns.Llama3,
                [("<|endoftext|>", 100_257), ("<|fim_prefix|>", 100_258), ("<|fim_middle|>", 100_259), ("<|fim_suffix|>", 100_260), ("<|endofprompt|>", 100_276)],
                (null, "<|endoftext|>"),
                addsBos: false,
                source),
            Gpt2Tokens => Build(vocabulary, SplitPatterns.Gpt2, [("<|endoftext|>", Gpt2Tokens)], (null, "<|endoftext|>"), addsBos: false, source),
            _ => throw new InvalidInputException(
                source, "ranks", $"{vocabulary.Count} tokens are of no known family (Llama 3 has {Llama3Tokens}, cl100k {Cl100kTokens}, GPT-2 {Gpt2Tokens})"),
        };
    }

    /// <summary>Reads the lines.</summary>
    /// <exception cref="InvalidInputException">A line is malformed, or a token or rank comes twice.</exception>
    public static Vocabulary ReadRanks(ReadOnlySpan<byte> bytes, string source)
    {
        List<(string Text, int Id)> tokens = [];
        byte[] decoded = new byte[AddedToken.LongestContent];
        int number = 0;
        foreach (Range range in bytes.Split((byte)'\n'))
        {
            number++;
            ReadOnlySpan<byte> line = bytes[range].TrimEnd("\r"u8);
            if (line.IsEmpty)
                continue;
            int space = line.IndexOf((byte)' ');
            string field = $"line {number}";
            if (space <= 0 || !Utf8Parser.TryParse(line[(space + 1)..], out int rank, out int used) || used != line.Length - space - 1)
                throw new InvalidInputException(source, field, "is not a token in base64, a space and a rank");
            if (space > decoded.Length || Base64.DecodeFromUtf8(line[..space], decoded, out _, out int count) != System.Buffers.OperationStatus.Done || count == 0)
                throw new InvalidInputException(source, field, $"the token is not base64, empty or over {decoded.Length / 4 * 3} bytes long");
            tokens.Add((ByteAlphabet.TextOf(decoded.AsSpan(0, count)), rank));
        }

        if (tokens.Count == 0)
            throw new InvalidInputException(source, "ranks", "there are none");
        return new Vocabulary(tokens, source, "ranks");
    }

    /// <summary>The form of a table: a whole piece that is a token is taken before any merge, which merging alone may miss.</summary>
    public static TokenizerSpec Build(
        Vocabulary vocabulary, string pattern, IReadOnlyList<(string Text, int Id)> special, (string? Bos, string? Eos) roles, bool addsBos, string source)
    {
        int[] ranks = [.. Enumerable.Range(0, vocabulary.Size)];
        BpeModel model = new(vocabulary, MergeBuilder.Build(vocabulary, ranks, source), new BpeOptions { IgnoreMerges = true }, source);
        return new TokenizerSpec
        {
            Source = source,
            Model = model,
            AddedTokens = [.. special.Select(t => new AddedToken(t.Id, t.Text) { Special = true })],
            PreTokenizer = KnownPreTokenizers.Split(pattern),
            PostProcessor = addsBos ? TemplateProcessor.Around(special[0], null) : new ByteLevelProcessor(),
            Decoder = KnownPreTokenizers.ByteLevelDecoder,
            BosToken = roles.Bos,
            EosToken = roles.Eos,
        };
    }

    // 256 special tokens; the ones without a role are numbered from 2.
    private static IEnumerable<(string Text, int Id)> Llama3Special()
    {
        for (int i = 0; i < 256; i++)
            yield return (i < s_llama3Special.Length ? s_llama3Special[i] : $"<|reserved_special_token_{i - s_llama3Special.Length + 2}|>", Llama3Tokens + i);
    }
}
