namespace Skiff.Tensors;

/// <summary>A learned matrix [out, in] or vector [1, n] in memory that the trainer owns; without a gradient it is frozen.</summary>
/// <param name="Value">Its numbers.</param>
/// <param name="Gradient">Where its gradient is added up, or null.</param>
public sealed record TapeParameter(MatrixView Value, MatrixView? Gradient)
{
    internal bool Trainable => Gradient is not null;

    /// <summary>All values in a row.</summary>
    internal unsafe ReadOnlySpan<float> Values => new(Value.Data, checked(Value.Rows * Value.Columns));

    /// <summary>All gradients in a row; none where it is frozen.</summary>
    internal unsafe Span<float> GradientValues => Gradient is { } g ? new(g.Data, checked(g.Rows * g.Columns)) : default;
}
