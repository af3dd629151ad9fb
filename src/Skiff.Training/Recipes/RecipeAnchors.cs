using System.ComponentModel.DataAnnotations;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Trains under the segment rule (AnLLM, arXiv 2402.07616), so that the model's cache may forget all of a closed segment but its anchors.</summary>
public sealed record RecipeAnchors
{
    /// <summary>What closes a segment.</summary>
    public required AnchorKind Kind { get; init; }

    /// <summary>What a segment is.</summary>
    public AnchorUnit Unit { get; init; }

    /// <summary>Texts of single tokens that end a segment wherever they stand, in place of the unit's ends.</summary>
    public IReadOnlyList<string> EndTokens { get; init; } = [];

    /// <summary>An anchor too sees the anchors before it.</summary>
    public bool AnchorsSeeAnchors { get; init; }

    /// <summary>Last positions of a segment that stay.</summary>
    [Range(1, 64)]
    public int AnchorsPerSegment { get; init; } = 1;

    /// <summary>The anchor of each so many-th segment takes in those of its group and stays in their place; 0 for never.</summary>
    [Range(0, 1 << 20)]
    public int SegmentsPerGroup { get; init; }

    /// <summary>A segment of so many tokens is closed by force; 0 for never.</summary>
    [Range(0, 1 << 20)]
    public int MaxSegment { get; init; }

    /// <summary>First positions that all see.</summary>
    [Range(0, 1 << 20)]
    public int Sinks { get; init; }

    /// <summary>Last positions that are seen whatever their segment.</summary>
    [Range(0, 1 << 20)]
    public int LastVisible { get; init; }

    /// <summary>The share of sequences that are trained under the full causal mask, so that one set of weights serves both.</summary>
    [Range(0, 1)]
    public double FullShare { get; init; }

    /// <summary>How the embedding of an added token begins.</summary>
    public AnchorStart Init { get; init; }

    /// <summary>The rule in the terms of a tokenizer.</summary>
    /// <param name="tokenizer">Which holds the added token, where one is added.</param>
    /// <param name="source">The recipe's file, for messages.</param>
    /// <exception cref="InvalidInputException">An end is no token of the vocabulary, or there is none.</exception>
    public AnchorConfig Describe(Tokenizer tokenizer, string source)
    {
        AnchorConfig ends = EndTokens.Count > 0 ? new AnchorConfig { EndIds = [.. EndTokens.Select(text => IdOf(tokenizer, text, source))] }
            : Unit == AnchorUnit.Line ? AnchorTokens.Lines(tokenizer) : AnchorTokens.Sentences(tokenizer);
        if (ends.EndIds.Count + ends.StopIds.Count == 0)
            throw new InvalidInputException(source, "anchors.unit", "no token of the vocabulary ends one: name anchors.end_tokens");
        return ends with
        {
            AddedId = Kind == AnchorKind.Added ? tokenizer.IdOf(AnchorTokens.Added) : null,
            AnchorsSeeAnchors = AnchorsSeeAnchors,
            AnchorsPerSegment = AnchorsPerSegment,
            SegmentsPerGroup = SegmentsPerGroup,
            MaxSegment = MaxSegment,
            Sinks = Sinks,
            LastVisible = LastVisible,
        };
    }

    private static int IdOf(Tokenizer tokenizer, string text, string source)
    {
        int[] ids = tokenizer.Encode(text, addSpecial: false);
        return ids.Length == 1 ? ids[0] : throw new InvalidInputException(source, "anchors.end_tokens", $"'{text}' is {ids.Length} tokens of the vocabulary, not one");
    }
}

/// <summary>What closes a segment.</summary>
public enum AnchorKind
{
    /// <summary>The end of the segment's own text.</summary>
    Endpoint,

    /// <summary>A token of its own, <see cref="AnchorTokens.Added"/>, that is put behind each end.</summary>
    Added,
}

/// <summary>What a segment is.</summary>
public enum AnchorUnit
{
    /// <summary>A sentence: up to a full stop, question or exclamation mark.</summary>
    Sentence,

    /// <summary>A line, which may be a demonstration of a task.</summary>
    Line,
}

/// <summary>How the embedding of an added token begins.</summary>
public enum AnchorStart
{
    /// <summary>As the mean of the table (the paper, section 3.3).</summary>
    Mean,

    /// <summary>As a copy of the full stop's row (the authors' code).</summary>
    Stop,
}
