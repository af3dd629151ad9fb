using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>How an <see cref="InferenceEngine"/> runs.</summary>
public sealed record InferenceEngineOptions
{
    /// <summary>Rows of a pass at most: tokens of all its sequences together. Scratch memory is planned for so many.</summary>
    public int MaxRows { get; init; } = 512;

    /// <summary>What caches keep; by the model's own rule when null: its anchors where it was trained with them, otherwise everything; a window where one is given.</summary>
    public CacheKind? Cache { get; init; }

    /// <summary>Positions that a position sees at most, its own included, beside the sinks; 0 for all that the model sees.</summary>
    public int Window { get; init; }

    /// <summary>First positions that are seen beside the window.</summary>
    public int Sinks { get; init; }

    /// <summary>What closes segments and what is seen of them, in place of the model's own rule.</summary>
    public AnchorConfig? Anchors { get; init; }

    /// <summary>Positions a sequence may have; the model's own context when 0. Beyond that a model is out of what it was trained for, unless its caches keep near positions alone.</summary>
    public int Context { get; init; }

    /// <summary>
    /// How keys and values are stored: F32, or I16 or I8, whole numbers with a single-precision scale for each position of a head. I16 takes the
    /// bytes of half precision and errs less. When null: F32 for a model whose matrices are F32, otherwise I16.
    /// </summary>
    public TensorType? CacheType { get; init; }

    /// <summary>Threads that work; the process's own when null.</summary>
    public ThreadTeam? Team { get; init; }

    /// <summary>Told of weights that are ready, and how many there are.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Sees the rows that each of the blocks' matrices reads, under the matrix's name, before it does.</summary>
    internal InputVisitor? Inputs { get; init; }

    /// <summary>Sees the residual stream [N, D] that enters the first block, under 0, and what each block leaves, from 1 on.</summary>
    internal StreamVisitor? Stream { get; init; }

    /// <summary>Sees how far each choice of an expert moves its token: the norm of the expert's output times its weight.</summary>
    internal ExpertVisitor? Experts { get; init; }

    /// <summary>Somebody looks on, so that all rows of all blocks are computed.</summary>
    internal bool IsWatched => Inputs is not null || Stream is not null || Experts is not null;

    internal void Check()
    {
        if (MaxRows is < 1 or > 1 << 20)
            throw new InvalidInputException("engine", "max-rows", $"must lie from 1 to {1 << 20}, not {MaxRows}");
        if (Context is < 0 or > 1 << 28)
            throw new InvalidInputException("engine", "context", $"must lie from 1 to {1 << 28}, or be 0 for the model's own, not {Context}");
        if (Window < 0)
            throw new InvalidInputException("engine", "window", $"must be 0 (all) or more, not {Window}");
        if (CacheType is not (null or TensorType.F32 or TensorType.I16 or TensorType.I8))
            throw new InvalidInputException("engine", "cache-type", $"must be f32, i16 or i8, not {CacheType.Value.Name()}");
        if (Sinks < 0 || (Sinks > 0 && Window == 0))
            throw new InvalidInputException("engine", "sinks", $"{Sinks} first positions beside a window of {Window}: give 0, or a window too");
        if (Cache is CacheKind.Window or CacheKind.Separators ? Window == 0 : Cache is not null && Window > 0)
            throw new InvalidInputException("engine", "window", $"{Window} with a cache that keeps {Cache}: the caches window and separators need one, the others take none");
    }

    /// <summary>What a position of a block without a window of its own sees, and what closes its segments.</summary>
    internal (VisibilityRule Rule, AnchorConfig? Anchors) Rule(ModelConfig config)
    {
        AnchorConfig? anchors = Anchors ?? config.Anchors;
        CacheKind kind = Cache ?? (Window > 0 ? CacheKind.Window : anchors is not null ? CacheKind.Anchor : CacheKind.Full);
        if (kind is CacheKind.Anchor or CacheKind.Separators && anchors is null)
            throw new InvalidInputException("engine", "cache", $"'{kind.ToString().ToLowerInvariant()}' needs to know what ends a segment, and the model does not say: it was not trained with anchors");
        VisibilityRule window = new() { Window = Window, Sinks = Sinks };
        return kind switch
        {
            CacheKind.Full => (VisibilityRule.Causal, null),
            CacheKind.Window => (window, null),
            CacheKind.Separators => (window with { KeepsAnchors = true }, anchors),
            _ => (anchors!.Rule, anchors),
        };
    }
}

/// <summary>Sees what a matrix reads.</summary>
/// <param name="parameter">The matrix's name.</param>
/// <param name="rows">[N, K], valid during the call.</param>
internal delegate void InputVisitor(string parameter, MatrixView rows);

/// <summary>Sees the residual stream before block <paramref name="block"/>; of as many as there are blocks, behind the last.</summary>
internal delegate void StreamVisitor(int block, MatrixView stream);

/// <summary>Sees an expert at work on one token.</summary>
internal delegate void ExpertVisitor(int layer, int expert, double norm);
