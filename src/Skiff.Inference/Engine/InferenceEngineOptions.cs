using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>How an <see cref="InferenceEngine"/> runs.</summary>
public sealed record InferenceEngineOptions
{
    /// <summary>Rows of a pass at most: tokens of all its sequences together. Scratch memory is planned for so many.</summary>
    public int MaxRows { get; init; } = 512;

    /// <summary>Positions that a position sees at most, its own included, beside the sinks; 0 for all that the model sees.</summary>
    public int Window { get; init; }

    /// <summary>First positions that are seen beside the window.</summary>
    public int Sinks { get; init; }

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

    internal void Check()
    {
        if (MaxRows is < 1 or > 1 << 20)
            throw new InvalidInputException("engine", "max-rows", $"must lie from 1 to {1 << 20}, not {MaxRows}");
        if (Window < 0)
            throw new InvalidInputException("engine", "window", $"must be 0 (all) or more, not {Window}");
        if (CacheType is not (null or TensorType.F32 or TensorType.I16 or TensorType.I8))
            throw new InvalidInputException("engine", "cache-type", $"must be f32, i16 or i8, not {CacheType.Value.Name()}");
        if (Sinks < 0 || (Sinks > 0 && Window == 0))
            throw new InvalidInputException("engine", "sinks", $"{Sinks} first positions beside a window of {Window}: give 0, or a window too");
    }
}

/// <summary>Sees what a matrix reads.</summary>
/// <param name="parameter">The matrix's name.</param>
/// <param name="rows">[N, K], valid during the call.</param>
internal delegate void InputVisitor(string parameter, MatrixView rows);
