using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Writes the <c>tokenizer.ggml.*</c> keys the way llama.cpp's converters do.</summary>
internal static class GgufVocabularyWriter
{
    private const string Source = "tokenizer";

    /// <summary>Adds the keys.</summary>
    /// <exception cref="InvalidInputException">GGUF cannot say a part of this tokenizer.</exception>
    public static void Write(Tokenizer tokenizer, GgufMetadata metadata, int modelVocabulary)
    {
        TokenizerSpec spec = tokenizer.Spec;
        if (modelVocabulary > 0 && tokenizer.VocabularySize > modelVocabulary)
            throw new InvalidInputException(Source, "vocabulary", $"{tokenizer.VocabularySize} tokens for a model of {modelVocabulary}; llama.cpp loads no such file");
        string[] texts = new string[Math.Max(tokenizer.VocabularySize, modelVocabulary)];
        int[] types = new int[texts.Length];
        Dictionary<int, AddedToken> added = spec.AddedTokens.ToDictionary(t => t.Id);
        bool bytes = spec.Model is BpeModel { Options.ByteFallback: true } || spec.Decoder?.Has("ByteFallback") == true;
        for (int id = 0; id < texts.Length; id++)
        {
            string? text = tokenizer.TextOf(id);
            // Holes are filled as llama.cpp fills them.
            texts[id] = text ?? $"[PAD{id}]";
            PieceType type = text is null ? PieceType.Unused
                : id == spec.Model.UnknownId ? PieceType.Unknown
                : added.TryGetValue(id, out AddedToken? token) ? token.Special ? PieceType.Control : PieceType.UserDefined
                : bytes && ByteAlphabet.FallbackByte(text) >= 0 ? PieceType.Byte
                : PieceType.Normal;
            types[id] = (int)type;
        }

        switch (spec.Model)
        {
            case BpeModel model when spec.PreTokenizer is null or MetaspacePreTokenizer:
                WriteSentencePiece(metadata, "llama", spec, texts, types, Scores(model, texts.Length));
                break;
            case UnigramModel model:
                WriteSentencePiece(metadata, "t5", spec, texts, types, [.. texts.Select((_, id) => id < model.Vocabulary.Size && model.Vocabulary[id] is not null ? (float)model.ScoreOf(id) : -10_000f)]);
                break;
            case BpeModel model:
                WriteByteLevel(metadata, spec, model, texts, types);
                break;
            case WordPieceModel { Prefix: "##" }:
                for (int id = 0; id < texts.Length; id++)
                {
                    if (types[id] == (int)PieceType.Normal)
                        texts[id] = texts[id].StartsWith("##", StringComparison.Ordinal) ? texts[id][2..] : "\u2581" + texts[id];
                }

                metadata.Add(GgufKeys.Model, "bert");
                metadata.Add(GgufKeys.Tokens, texts);
                metadata.Add(GgufKeys.TokenType, types);
                break;
            default:
                throw new InvalidInputException(Source, "model", "GGUF has no name for this kind of model");
        }

        WriteRoles(metadata, tokenizer);
    }

    private static void WriteByteLevel(GgufMetadata metadata, TokenizerSpec spec, BpeModel model, string[] texts, int[] types)
    {
        string name = KnownPreTokenizers.NameOf(spec.PreTokenizer)
            ?? throw new InvalidInputException(Source, "pre_tokenizer", "GGUF has no name for this way of splitting");
        // Llama 3's files are the ones whose pieces are looked up whole first.
        if (name == "llama-bpe" && !model.Options.IgnoreMerges)
            name = "dbrx";
        // NFC has no key: llama.cpp runs such vocabularies (Qwen2, GPT-NeoX) without it.
        if (spec.Normalizer is not (null or UnicodeNormalizer { Form: "NFC" }))
            throw new InvalidInputException(Source, "normalizer", "GGUF cannot say that a byte-level vocabulary has this normalizer");
        metadata.Add(GgufKeys.Model, "gpt2");
        metadata.Add(GgufKeys.Pre, name);
        metadata.Add(GgufKeys.Tokens, texts);
        metadata.Add(GgufKeys.TokenType, types);
        string[] merges = new string[model.Merges.Length];
        for (int i = 0; i < merges.Length; i++)
            merges[i] = $"{model.Vocabulary[model.Merges[i].Left]} {model.Vocabulary[model.Merges[i].Right]}";
        metadata.Add(GgufKeys.Merges, merges);
    }

    private static void WriteSentencePiece(GgufMetadata metadata, string kind, TokenizerSpec spec, string[] texts, int[] types, float[] scores)
    {
        bool prefix = false, removesExtra = false, marks = false;
        byte[] charsMap = [];
        foreach (Normalizer part in spec.Normalizer is NormalizerSequence sequence ? sequence.Parts : spec.Normalizer is Normalizer one ? [one] : [])
        {
            switch (part)
            {
                case PrependNormalizer { Prepend: "\u2581" }:
                    prefix = true;
                    break;
                case ReplaceNormalizer { Pattern: { IsRegex: false, Text: " " }, Content: "\u2581" }:
                    marks = true;
                    break;
                case ReplaceNormalizer { Pattern.IsRegex: true, Content: "" or " " }:
                    removesExtra = true;
                    break;
                case PrecompiledNormalizer map:
                    charsMap = map.CharsMap.ToArray();
                    break;
                default:
                    throw new InvalidInputException(Source, "normalizer", "GGUF cannot say this normalizer");
            }
        }

        if (spec.PreTokenizer is MetaspacePreTokenizer space)
        {
            prefix = space.Scheme != PrependScheme.Never;
            marks = true;
        }

        if (!marks)
            throw new InvalidInputException(Source, "normalizer", "GGUF needs a vocabulary whose spaces are marks or bytes");
        metadata.Add(GgufKeys.Model, kind);
        if (kind == "llama")
            metadata.Add(GgufKeys.Pre, "default");
        metadata.Add(GgufKeys.Tokens, texts);
        metadata.Add(GgufKeys.Scores, scores);
        metadata.Add(GgufKeys.TokenType, types);
        metadata.Add(GgufKeys.AddSpacePrefix, prefix);
        // llama.cpp heeds this for Unigram alone; we heed it for both.
        if (kind == "t5" || removesExtra)
            metadata.Add(GgufKeys.RemoveExtraSpaces, removesExtra);
        if (charsMap.Length > 0)
            metadata.Add(GgufKeys.CharsMap, charsMap);
    }

    // llama.cpp merges by the score of the result alone, highest first: the rank of its first merge, negated.
    private static float[] Scores(BpeModel model, int size)
    {
        float[] scores = new float[size];
        Array.Fill(scores, float.NegativeInfinity);
        foreach (Merge merge in model.Merges)
            scores[merge.Merged] = Math.Max(scores[merge.Merged], -merge.Rank);
        for (int id = 0; id < size; id++)
        {
            if (float.IsNegativeInfinity(scores[id]))
                scores[id] = -(model.Merges.Length + 1f);
        }

        return scores;
    }

    private static void WriteRoles(GgufMetadata metadata, Tokenizer tokenizer)
    {
        PostProcessor? post = tokenizer.Spec.PostProcessor;
        bool bos = post is { Before.Count: 1 } && post.Before[0] == tokenizer.BosId;
        bool eos = post is { After.Count: 1 } && post.After[0] == tokenizer.EosId;
        if (post is not null && ((post.Before.Count > 0 && !bos) || (post.After.Count > 0 && !eos)))
            throw new InvalidInputException(Source, "post_processor", "GGUF can only say that BOS comes before and EOS behind a text");
        foreach ((string key, int? id) in new[]
        {
            (GgufKeys.Bos, tokenizer.BosId), (GgufKeys.Eos, tokenizer.EosId), (GgufKeys.Unknown, tokenizer.UnknownId), (GgufKeys.Pad, tokenizer.PadId),
            (GgufKeys.Separator, tokenizer.Spec.Model is WordPieceModel ? tokenizer.EosId : null),
        })
        {
            if (id is int known)
                metadata.Add(key, (uint)known);
        }

        metadata.Add(GgufKeys.AddBos, bos);
        metadata.Add(GgufKeys.AddEos, eos);
        if (tokenizer.ChatTemplate is string template)
            metadata.Add(GgufKeys.ChatTemplate, template);
    }
}
