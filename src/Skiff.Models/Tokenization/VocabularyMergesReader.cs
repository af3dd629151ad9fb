using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads GPT-2's older pair of files, <c>vocab.json</c> and <c>merges.txt</c>.</summary>
internal static class VocabularyMergesReader
{
    /// <summary>Reads the pair; <c>tokenizer_class</c> of the settings says which family it is, GPT-2 where there are none.</summary>
    /// <exception cref="InvalidInputException">A merge is unusable or the family unknown.</exception>
    public static TokenizerSpec Read(JsonField vocabulary, string mergesPath, JsonField? config, JsonField? map, string? template)
    {
        Vocabulary tokens = TokenModelReader.ReadVocabulary(vocabulary);
        List<Merge> merges = [];
        foreach (ReadOnlySpan<char> raw in TokenizerFiles.Text(mergesPath).AsSpan().EnumerateLines())
        {
            if (raw.IsEmpty || (merges.Count == 0 && raw.StartsWith("#version", StringComparison.Ordinal)))
                continue;
            int space = raw.IndexOf(' ');
            if (space <= 0 || raw[(space + 1)..].Contains(' '))
                throw new InvalidInputException(mergesPath, $"merge {merges.Count}", "is not a pair of tokens");
            merges.Add(TokenModelReader.Resolve(tokens, raw[..space].ToString(), raw[(space + 1)..].ToString(), merges.Count, 0, mergesPath, $"merge {merges.Count}"));
        }

        bool prefix = config?.Bool("add_prefix_space", false) ?? false;
        string family = config?.Text("tokenizer_class") ?? "GPT2Tokenizer";
        (Normalizer? normalizer, PreTokenizer cut) = family.Replace("Fast", "", StringComparison.Ordinal) switch
        {
            "GPT2Tokenizer" or "CodeGenTokenizer" or "PreTrainedTokenizer" => ((Normalizer?)null, (PreTokenizer)new ByteLevelPreTokenizer(prefix, useRegex: true)),
            "GPTNeoXTokenizer" => (new UnicodeNormalizer("NFC"), new ByteLevelPreTokenizer(prefix, useRegex: true)),
            "Qwen2Tokenizer" => (new UnicodeNormalizer("NFC"), KnownPreTokenizers.Split(SplitPatterns.Qwen2)),
            _ => throw new InvalidInputException(
                HuggingFaceReader.ConfigFile, "tokenizer_class", $"'{family}' cannot be read from vocab.json and merges.txt; save it as tokenizer.json"),
        };
        TokenizerSpec spec = new()
        {
            Source = vocabulary.Source,
            Model = new BpeModel(tokens, [.. merges], new BpeOptions(), vocabulary.Source),
            Normalizer = normalizer,
            PreTokenizer = cut,
            PostProcessor = new ByteLevelProcessor(),
            Decoder = KnownPreTokenizers.ByteLevelDecoder,
        };
        List<AddedToken> added = [];
        if (config is null && tokens.IdOf("<|endoftext|>") is int end and >= 0)
            added.Add(new AddedToken(end, "<|endoftext|>") { Special = true });
        spec = HuggingFaceReader.Complete(spec, added, config, map, template);
        return config?.Bool("add_bos_token", false) == true && spec.BosToken is string bos && tokens.IdOf(bos) is int id and >= 0
            ? spec with { PostProcessor = TemplateProcessor.Around((bos, id), null) }
            : spec;
    }
}
