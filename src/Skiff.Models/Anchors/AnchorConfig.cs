using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// How a model presses the segments of its text into anchors (AnLLM, arXiv 2402.07616): the tokens that close segments, and what is seen of
/// closed ones. <c>config.json</c> carries it under <c>anchors</c>, and training, evaluation and caches go by it.
/// </summary>
public sealed record AnchorConfig
{
    /// <summary>Tokens that end a sentence (or whatever segments are) wherever they stand.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <summary>Full stops: they end a sentence but for those behind a digit ("3.14") or an abbreviation ("Mr.", "e.g.").</summary>
    public IReadOnlyList<int> StopIds { get; init; } = [];

    /// <summary>Tokens behind which a full stop ends nothing: those that end with a digit, and abbreviations.</summary>
    public IReadOnlyList<int> NotAfterIds { get; init; } = [];

    /// <summary>Single letters: between two full stops one is part of an abbreviation ("e.g.", "U.S.").</summary>
    public IReadOnlyList<int> LetterIds { get; init; } = [];

    /// <summary>A token of its own that is put behind each end and closes the segment in the end's place, or null where ends themselves close.</summary>
    public int? AddedId { get; init; }

    /// <summary>An anchor too sees the anchors before it.</summary>
    public bool AnchorsSeeAnchors { get; init; }

    /// <summary>So many last positions of a segment stay; of an added token, so many are put behind each end.</summary>
    public int AnchorsPerSegment { get; init; } = 1;

    /// <summary>The anchor of each so many-th segment takes in those of its group, which it then stands for alone; 0 for never.</summary>
    public int SegmentsPerGroup { get; init; }

    /// <summary>A segment that comes to so many tokens is closed by force; 0 for never.</summary>
    public int MaxSegment { get; init; }

    /// <summary>First positions that all see.</summary>
    public int Sinks { get; init; }

    /// <summary>Last positions that are seen whatever their segment.</summary>
    public int LastVisible { get; init; }

    /// <summary>Only so many last anchors are seen, so that memory does not grow with the sequence; 0 for all.</summary>
    public int LastAnchors { get; init; }

    /// <summary>What a position sees under it.</summary>
    public VisibilityRule Rule => new()
    {
        Segments = true,
        AnchorsSeeAnchors = AnchorsSeeAnchors,
        AnchorsPerSegment = AnchorsPerSegment,
        SegmentsPerGroup = SegmentsPerGroup,
        Sinks = Sinks,
        LastVisible = LastVisible,
        LastAnchors = LastAnchors,
    };

    /// <summary>The value of <c>anchors</c> in <c>config.json</c>.</summary>
    public JsonObject ToJson() => AnchorKeys.Write(this);

    /// <summary>Equal where all that is seen is.</summary>
    public bool Equals(AnchorConfig? other) => other is not null && JsonNode.DeepEquals(ToJson(), other.ToJson());

    /// <inheritdoc/>
    public override int GetHashCode() => ToJson().ToJsonString().GetHashCode(StringComparison.Ordinal);
}
