using System.CommandLine;
using System.CommandLine.Parsing;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>How a verb's engine keeps keys and values.</summary>
internal sealed class CacheFlags
{
    public Option<TensorType?> Type { get; } = TypeFlag.OneOf(
        "--cache-type", "How keys and values are stored", "16 or 8 bits and a scale a head; by default f32 for a model in f32, else i16", TensorType.F32, TensorType.I16, TensorType.I8);

    public Option<CacheKind?> Kind { get; } = new("--cache")
    {
        Description = "What stays of the text so far: all of it; a window of the last positions; that and ends of sentences; or of closed segments their anchors [default: the model's own].",
        HelpName = "full|window|separators|anchor",
        CustomParser = result => ParseKind(result),
    };

    public Option<int?> Context { get; } = Flags.Whole("--context", "Positions that a text may have [default: the model's own]. Beyond those, give a cache that lets go of old ones.");

    public Option<int?> LastAnchors { get; } = Flags.Whole("--last-anchors", "With anchors: keep this many of the last ones, so that memory does not grow [default: all].");

    public Option<int?> Window { get; } = Flags.Whole("--window", "See this many of the last positions only, so that memory does not grow [default: all that the model sees].");

    public Option<int?> Sinks { get; } = Flags.Whole("--sinks", "With --window: see this many first positions too, which keeps a model without windows steady; 4 will do [default: 0].");

    public IEnumerable<Option> All => [Kind, Type, Window, Sinks, LastAnchors, Context];

    /// <summary>The engine that the flags ask for.</summary>
    /// <param name="parse">The flags.</param>
    /// <param name="model">Whose vocabulary tells ends of sentences where the model itself names none.</param>
    public InferenceEngineOptions Read(ParseResult parse, Model model)
    {
        CacheKind? kind = parse.GetValue(Kind);
        AnchorConfig? anchors = model.Config.Anchors;
        if (anchors is null && kind is CacheKind.Anchor or CacheKind.Separators && model.HasTokenizer)
            anchors = AnchorTokens.Sentences(model.Tokenizer);
        if (parse.GetValue(LastAnchors) is { } last)
            anchors = anchors is null ? throw new InvalidInputException(model.Path, "--last-anchors", "the model has no anchors: give --cache anchor, or leave it out") : anchors with { LastAnchors = last };
        if (anchors is { LastAnchors: > 0 } and ({ Sinks: > 0 } or { SegmentsPerGroup: > 0 }))
            throw new InvalidInputException(model.Path, "--last-anchors", "the model's own rule keeps first tokens or anchors of groups, which a last few exclude: leave it out");
        return new()
        {
            Cache = kind,
            Anchors = anchors,
            CacheType = parse.GetValue(Type),
            Window = parse.GetValue(Window) ?? 0,
            Sinks = parse.GetValue(Sinks) ?? 0,
            Context = parse.GetValue(Context) ?? 0,
        };
    }

    private static CacheKind? ParseKind(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (text.All(char.IsAsciiLetterLower) && Enum.TryParse(text, ignoreCase: true, out CacheKind kind))
            return kind;
        result.AddError($"--cache takes full, window, separators or anchor, not '{text}'");
        return null;
    }
}
