namespace Skiff.Tensors;

/// <summary>Nonlinearities of the feed-forward.</summary>
public enum Activation
{
    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>x Phi(x), with the error function.</summary>
    Gelu,

    /// <summary>The tanh approximation of <see cref="Gelu"/>.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0) squared.</summary>
    Relu2,

    /// <summary>x sigmoid(1.702 x).</summary>
    QuickGelu,
}
