// N tokens, D model, V vocabulary
namespace Skiff.Tensors;

/// <summary>
/// Hidden states and the head that makes logits of them: s = cap tanh((scale hidden head^T + bias) / cap). Valid as long as the
/// memory of its matrices is.
/// </summary>
public readonly ref struct LogitSource
{
    /// <summary>Names the parts.</summary>
    /// <param name="hidden">[N, D].</param>
    /// <param name="head">[V, D].</param>
    /// <param name="bias">[V] added to the scaled products, or empty.</param>
    /// <param name="logitScale">Factor on the products.</param>
    /// <param name="softCap">Cap of the logits, or 0 for none.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative cap.</exception>
    public LogitSource(MatrixView hidden, MatrixView head, ReadOnlySpan<float> bias = default, float logitScale = 1, float softCap = 0)
    {
        if (head.Columns != hidden.Columns || (bias.Length != 0 && bias.Length != head.Rows))
            throw new ArgumentException($"hidden [{hidden.Rows}, {hidden.Columns}], head [{head.Rows}, {head.Columns}], {bias.Length} biases", nameof(head));
        ArgumentOutOfRangeException.ThrowIfNegative(softCap);
        (Hidden, Head, LogitScale, SoftCap) = (hidden, head, logitScale, softCap);
        Bias = bias;
    }

    /// <summary>[N, D].</summary>
    public MatrixView Hidden { get; }

    /// <summary>[V, D].</summary>
    public MatrixView Head { get; }

    /// <summary>[V] or empty.</summary>
    public ReadOnlySpan<float> Bias { get; }

    /// <summary>Factor on the products.</summary>
    public float LogitScale { get; }

    /// <summary>Cap of the logits, or 0.</summary>
    public float SoftCap { get; }
}
