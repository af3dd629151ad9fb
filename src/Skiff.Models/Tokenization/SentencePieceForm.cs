using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>What SentencePiece calls the kinds of its pieces; GGUF uses the same numbers.</summary>
internal enum PieceType
{
    /// <summary>Text.</summary>
    Normal = 1,

    /// <summary>The unknown token.</summary>
    Unknown = 2,

    /// <summary>A control token, such as BOS.</summary>
    Control = 3,

    /// <summary>Found in the text before anything else.</summary>
    UserDefined = 4,

    /// <summary>Never used.</summary>
    Unused = 5,

    /// <summary>One byte, <c>&lt;0xNN&gt;</c>.</summary>
    Byte = 6,
}

/// <summary>A SentencePiece vocabulary, from whichever file, on its way into the one form.</summary>
internal sealed record SentencePieceForm
{
    /// <summary>The file.</summary>
    public required string Source { get; init; }

    /// <summary>Texts, scores and kinds by id.</summary>
    public required IReadOnlyList<(string Text, float Score, PieceType Type)> Pieces { get; init; }

    /// <summary>Unigram, or else BPE.</summary>
    public bool IsUnigram { get; init; }

    /// <summary>Whether a text begins as if with a space.</summary>
    public bool AddsPrefix { get; init; } = true;

    /// <summary>Whether runs of spaces become one and those at the ends none.</summary>
    public bool RemovesExtraSpaces { get; init; }

    /// <summary>The compiled character map, or empty.</summary>
    public byte[] CharsMap { get; init; } = [];

    /// <summary>Token that begins a text, if it is to be added.</summary>
    public int? AddedBos { get; init; }

    /// <summary>Token that ends a text, if it is to be added.</summary>
    public int? AddedEos { get; init; }

    /// <summary>The ids with a role, or -1.</summary>
    public (int Bos, int Eos, int Pad, int Unknown) Roles { get; init; } = (-1, -1, -1, -1);

    /// <summary>The one form.</summary>
    /// <exception cref="InvalidInputException">A piece is unusable.</exception>
    public TokenizerSpec Build()
    {
        Vocabulary vocabulary = new([.. Pieces.Select((p, id) => (p.Text, id))], Source, "pieces");
        // Padding, too, may be of the unknown kind: the role goes first.
        int unknown = Role(Roles.Unknown) is null ? Pieces.TakeWhile(p => p.Type != PieceType.Unknown).Count() : Roles.Unknown;
        unknown = unknown < Pieces.Count ? unknown : -1;
        bool byteFallback = Pieces.Any(p => p.Type == PieceType.Byte);
        TokenModel model = IsUnigram
            ? new UnigramModel(vocabulary, [.. Pieces.Select(p => (double)p.Score)], unknown, byteFallback, id => !IsText(id), Source)
            : BuildBpe(vocabulary, unknown, byteFallback);
        List<DecoderStep> steps = [new("Replace") { Pattern = TextPattern.Literal("\u2581"), Content = " " }];
        if (byteFallback)
            steps.Add(new DecoderStep("ByteFallback"));
        steps.Add(new DecoderStep("Fuse"));
        if (AddsPrefix)
            steps.Add(new DecoderStep("Strip") { Content = " ", Start = 1 });
        return new TokenizerSpec
        {
            Source = Source,
            Model = model,
            AddedTokens = [.. AddedTokens()],
            Normalizer = BuildNormalizer(),
            PostProcessor = AddedBos is null && AddedEos is null ? null : TemplateProcessor.Around(Named(AddedBos), Named(AddedEos)),
            Decoder = new TokenDecoder([.. steps], isSequence: true),
            BosToken = Role(Roles.Bos),
            EosToken = Role(Roles.Eos),
            PadToken = Role(Roles.Pad),
            UnknownToken = unknown < 0 ? null : Pieces[unknown].Text,
        };
    }

    private bool IsText(int id) => Pieces[id].Type is PieceType.Normal or PieceType.UserDefined;

    private BpeModel BuildBpe(Vocabulary vocabulary, int unknown, bool byteFallback)
    {
        Merge[] merges = MergeBuilder.Build(vocabulary, MergeBuilder.RanksOf([.. Pieces.Select(p => p.Score)], IsText), Source);
        BpeOptions options = new()
        {
            UnknownToken = unknown < 0 ? null : Pieces[unknown].Text,
            FuseUnknown = true,
            ByteFallback = byteFallback,
        };
        return new BpeModel(vocabulary, merges, options, Source);
    }

    private NormalizerSequence BuildNormalizer()
    {
        List<Normalizer> parts = [];
        if (CharsMap.Length > 0)
            parts.Add(new PrecompiledNormalizer(CharsMap, Source, "precompiled_charsmap"));
        if (RemovesExtraSpaces)
        {
            parts.Add(new ReplaceNormalizer(TextPattern.Expression(@"\A +| +\z", Source, "spaces"), ""));
            parts.Add(new ReplaceNormalizer(TextPattern.Expression(" {2,}", Source, "spaces"), " "));
        }

        if (AddsPrefix)
            parts.Add(new PrependNormalizer("\u2581"));
        parts.Add(new ReplaceNormalizer(TextPattern.Literal(" "), "\u2581"));
        return new NormalizerSequence([.. parts]);
    }

    private IEnumerable<AddedToken> AddedTokens()
    {
        for (int id = 0; id < Pieces.Count; id++)
        {
            (string text, _, PieceType type) = Pieces[id];
            if (type is not (PieceType.Control or PieceType.Unknown or PieceType.UserDefined) || text.Length is 0 or > AddedToken.LongestContent)
                continue;
            yield return new AddedToken(id, text)
            {
                Special = type != PieceType.UserDefined,
                // A piece with a mark can only be found once spaces have become marks.
                Normalized = !AddsPrefix && text.Contains('\u2581'),
            };
        }
    }

    private (string Text, int Id)? Named(int? id) => id is int known && Role(known) is string text ? (text, known) : null;

    private string? Role(int id) => (uint)id < (uint)Pieces.Count ? Pieces[id].Text : null;
}
