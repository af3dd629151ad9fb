using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Reads the <c>tokenizer.ggml.*</c> keys of a GGUF file: <c>llama</c> (SentencePiece BPE), <c>t5</c> (Unigram),
/// <c>gpt2</c> (byte-level BPE) and <c>bert</c> (WordPiece).
/// </summary>
internal static class GgufVocabularyReader
{
    /// <summary>Reads the vocabulary.</summary>
    /// <exception cref="InvalidInputException">A key is missing or unusable, or names something that is not known.</exception>
    public static TokenizerSpec Read(GgufMetadata metadata, string source)
    {
        try
        {
            string model = metadata.String(GgufKeys.Model);
            TokenizerSpec spec = model switch
            {
                "llama" or "t5" => ReadSentencePiece(metadata, model == "t5", source),
                "gpt2" => ReadByteLevel(metadata, source),
                "bert" => ReadWordPiece(metadata, source),
                _ => throw new InvalidInputException(source, GgufKeys.Model, $"'{model}' is not supported; llama, gpt2, bert and t5 are"),
            };
            return spec with { ChatTemplate = metadata.TryGet<string>(GgufKeys.ChatTemplate, out string? template) ? template : null };
        }
        catch (InvalidInputException e) when (e.Input != source)
        {
            throw e.From(source);
        }
    }

    private static TokenizerSpec ReadSentencePiece(GgufMetadata metadata, bool unigram, string source)
    {
        string[] texts = metadata.Array<string>(GgufKeys.Tokens);
        float[] scores = metadata.Array<float>(GgufKeys.Scores);
        int[] types = Types(metadata, texts.Length);
        int count = CountWithoutFill(texts, types);
        if (scores.Length != texts.Length)
            throw new InvalidInputException(source, GgufKeys.Scores, $"has {scores.Length} entries for {texts.Length} tokens");
        foreach (float score in scores)
        {
            if (!float.IsFinite(score))
                throw new InvalidInputException(source, GgufKeys.Scores, "a score is not finite");
        }

        (texts, types) = (texts[..count], types[..count]);
        int bos = Role(metadata, GgufKeys.Bos, texts.Length);
        int eos = Role(metadata, GgufKeys.Eos, texts.Length);
        byte[] charsMap = metadata.TryGet<object>(GgufKeys.CharsMap, out object? map) ? map as byte[] ?? [.. metadata.Array<int>(GgufKeys.CharsMap).Select(b => (byte)b)] : [];
        return new SentencePieceForm
        {
            Source = source,
            Pieces = [.. texts.Select((t, i) => (t, scores[i], (PieceType)types[i]))],
            IsUnigram = unigram,
            AddsPrefix = Flag(metadata, GgufKeys.AddSpacePrefix, true),
            RemovesExtraSpaces = Flag(metadata, GgufKeys.RemoveExtraSpaces, false),
            CharsMap = charsMap,
            AddedBos = Flag(metadata, GgufKeys.AddBos, !unigram) && bos >= 0 ? bos : null,
            AddedEos = Flag(metadata, GgufKeys.AddEos, unigram) && eos >= 0 ? eos : null,
            Roles = (bos, eos, Role(metadata, GgufKeys.Pad, texts.Length), Role(metadata, GgufKeys.Unknown, texts.Length)),
        }.Build();
    }

    private static TokenizerSpec ReadByteLevel(GgufMetadata metadata, string source)
    {
        string[] texts = metadata.Array<string>(GgufKeys.Tokens);
        int[] types = Types(metadata, texts.Length);
        int count = CountWithoutFill(texts, types);
        (texts, types) = (texts[..count], types[..count]);
        Vocabulary vocabulary = new([.. texts.Select((t, i) => (t, i))], source, GgufKeys.Tokens);
        string[] lines = metadata.Array<string>(GgufKeys.Merges);
        Merge[] merges = new Merge[lines.Length];
        for (int i = 0; i < lines.Length; i++)
        {
            // A token may itself begin with a space, never with two.
            int space = lines[i].Length > 0 ? lines[i].IndexOf(' ', 1) : -1;
            if (space < 0)
                throw new InvalidInputException(source, GgufKeys.Merges, $"merge {i} is not a pair of tokens");
            merges[i] = TokenModelReader.Resolve(vocabulary, lines[i][..space], lines[i][(space + 1)..], i, 0, source, GgufKeys.Merges);
        }

        // Files from before the key cut as GPT-2 does.
        string pre = metadata.TryGet<string>(GgufKeys.Pre, out string? name) ? name : "gpt-2";
        bool llama3 = pre is "llama-bpe" or "llama3" or "llama-v3";
        PreTokenizer cut = KnownPreTokenizers.Named(pre, source, GgufKeys.Pre);
        TokenizerSpec spec = new()
        {
            Source = source,
            Model = new BpeModel(vocabulary, merges, new BpeOptions { IgnoreMerges = llama3 }, source),
            PreTokenizer = cut,
            Decoder = KnownPreTokenizers.ByteLevelDecoder,
        };
        return WithRoles(spec, metadata, texts, types, addsBos: llama3, addsEos: false);
    }

    // llama.cpp writes a word's first piece with a mark and its later pieces bare; WordPiece has it the other way around.
    private static TokenizerSpec ReadWordPiece(GgufMetadata metadata, string source)
    {
        string[] texts = metadata.Array<string>(GgufKeys.Tokens);
        int[] types = Types(metadata, texts.Length);
        for (int i = 0; i < texts.Length; i++)
        {
            if (types[i] == (int)PieceType.Normal)
                texts[i] = texts[i].StartsWith('\u2581') ? texts[i][1..] : "##" + texts[i];
        }

        Vocabulary vocabulary = new([.. texts.Select((t, i) => (t, i))], source, GgufKeys.Tokens);
        int unknown = Role(metadata, GgufKeys.Unknown, texts.Length);
        TokenizerSpec spec = new()
        {
            Source = source,
            Model = new WordPieceModel(vocabulary, unknown < 0 ? "[UNK]" : texts[unknown], "##", 100, source),
            Normalizer = new BertNormalizer(clean: true, chinese: true, accents: null, lower: true),
            PreTokenizer = new ClassPreTokenizer("BertPreTokenizer", SplitBehavior.Removed),
            Decoder = new TokenDecoder([new DecoderStep("WordPiece") { Content = "##", Cleanup = true }], isSequence: false),
        };
        return WithRoles(spec, metadata, texts, types, addsBos: true, addsEos: true);
    }

    private static TokenizerSpec WithRoles(TokenizerSpec spec, GgufMetadata metadata, string[] texts, int[] types, bool addsBos, bool addsEos)
    {
        List<AddedToken> added = [];
        for (int i = 0; i < texts.Length; i++)
        {
            if (types[i] is (int)PieceType.Control or (int)PieceType.UserDefined or (int)PieceType.Unknown && texts[i].Length is > 0 and <= AddedToken.LongestContent)
                added.Add(new AddedToken(i, texts[i]) { Special = types[i] != (int)PieceType.UserDefined });
        }

        int bos = Role(metadata, GgufKeys.Bos, texts.Length);
        int eos = Role(metadata, GgufKeys.Eos, texts.Length);
        int pad = Role(metadata, GgufKeys.Pad, texts.Length);
        int unknown = Role(metadata, GgufKeys.Unknown, texts.Length);
        (string, int)? before = bos >= 0 && Flag(metadata, GgufKeys.AddBos, addsBos) ? (texts[bos], bos) : null;
        (string, int)? after = eos >= 0 && Flag(metadata, GgufKeys.AddEos, addsEos) ? (texts[eos], eos) : null;
        return spec with
        {
            AddedTokens = added,
            PostProcessor = before is null && after is null ? null : TemplateProcessor.Around(before, after),
            BosToken = bos < 0 ? null : texts[bos],
            EosToken = eos < 0 ? null : texts[eos],
            PadToken = pad < 0 ? null : texts[pad],
            UnknownToken = unknown < 0 ? null : texts[unknown],
        };
    }

    private static int[] Types(GgufMetadata metadata, int count)
    {
        if (!metadata.TryGet<int[]>(GgufKeys.TokenType, out int[]? types))
        {
            types = new int[count];
            Array.Fill(types, (int)PieceType.Normal);
        }

        if (types.Length != count || types.Any(t => t is < 0 or > 6))
            throw new InvalidInputException("", GgufKeys.TokenType, $"has {types.Length} entries for {count} tokens, or one that is not 0 to 6");
        return types;
    }

    // Converters fill the vocabulary up to the rows of the embedding; the tokens behind the last real one are none.
    private static int CountWithoutFill(string[] texts, int[] types)
    {
        int count = texts.Length;
        while (count > 0 && types[count - 1] == (int)PieceType.Unused && texts[count - 1] == $"[PAD{count - 1}]")
            count--;
        return count;
    }

    private static bool Flag(GgufMetadata metadata, string key, bool otherwise) => metadata.TryGet(key, out bool value) ? value : otherwise;

    private static int Role(GgufMetadata metadata, string key, int count)
    {
        // llama.cpp's files have the largest unsigned number for "none".
        if (!metadata.TryGet(key, out long id) || id == uint.MaxValue || id == -1)
            return -1;
        return id >= 0 && id < count ? (int)id : throw new InvalidInputException("", key, $"{id} is outside the {count} tokens");
    }
}
