using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>A nonlinearity with its slope, as vectors and in double precision.</summary>
internal interface IActivation
{
    /// <summary>f(x), and f'(x) where the compiler sees it used.</summary>
    static abstract Vector<float> Evaluate(Vector<float> x, out Vector<float> slope);

    /// <summary>The scalar twin.</summary>
    static abstract (double Value, double Slope) Evaluate(double x);
}

internal readonly struct SiluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        Vector<float> s = VectorFunctions.Sigmoid(x), y = x * s;
        slope = s + y * (Vector<float>.One - s);
        return y;
    }

    /// <summary>The same in 512 bits: nearly all models have this one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Evaluate(Vector512<float> x, out Vector512<float> slope)
    {
        Vector512<float> s = Vector512<float>.One / (Vector512<float>.One + VectorFunctions.Exp(-x)), y = x * s;
        slope = s + y * (Vector512<float>.One - s);
        return y;
    }

    public static (double Value, double Slope) Evaluate(double x)
    {
        double s = Elementwise.Sigmoid(x);
        return (Elementwise.Silu(x), s * (1 + x * (1 - s)));
    }
}

internal readonly struct QuickGeluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        Vector<float> scaled = new Vector<float>(1.702f) * x, s = VectorFunctions.Sigmoid(scaled);
        slope = s + scaled * s * (Vector<float>.One - s);
        return x * s;
    }

    public static (double Value, double Slope) Evaluate(double x)
    {
        double s = Elementwise.Sigmoid(1.702 * x);
        return (Elementwise.QuickGelu(x), s * (1 + 1.702 * x * (1 - s)));
    }
}

internal readonly struct GeluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        Vector<float> integral = VectorFunctions.NormalIntegral(x, out Vector<float> density);
        slope = integral + x * density;
        return x * integral;
    }

    public static (double Value, double Slope) Evaluate(double x) =>
        (Elementwise.Gelu(x), 0.5 * (1 + Elementwise.ErrorFunction(x / Math.Sqrt(2))) + x * Math.Exp(-0.5 * x * x) / Math.Sqrt(2 * Math.PI));
}

internal readonly struct GeluTanhActivation : IActivation
{
    // 0.5 (1 + tanh(z)) = sigmoid(2 z), which keeps its digits in the tail.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        // 2 sqrt(2 / pi), and that times 0.044715.
        Vector<float> a = new(1.5957691f), b = new(0.071354814f), square = x * x;
        Vector<float> s = VectorFunctions.Sigmoid(x * (a + b * square)), y = x * s;
        slope = s + y * (Vector<float>.One - s) * (a + new Vector<float>(3f) * b * square);
        return y;
    }

    public static (double Value, double Slope) Evaluate(double x)
    {
        double c = Math.Sqrt(2 / Math.PI), t = Math.Tanh(c * (x + 0.044715 * x * x * x));
        return (Elementwise.GeluTanh(x), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x));
    }
}

internal readonly struct ReluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        slope = Vector.ConditionalSelect(Vector.GreaterThan(x, Vector<float>.Zero), Vector<float>.One, Vector<float>.Zero);
        return Vector.Max(x, Vector<float>.Zero);
    }

    public static (double Value, double Slope) Evaluate(double x) => (Elementwise.Relu(x), x > 0 ? 1 : 0);
}

internal readonly struct Relu2Activation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Evaluate(Vector<float> x, out Vector<float> slope)
    {
        Vector<float> positive = Vector.Max(x, Vector<float>.Zero);
        slope = positive + positive;
        return positive * positive;
    }

    public static (double Value, double Slope) Evaluate(double x) => (Elementwise.Relu2(x), x > 0 ? 2 * x : 0);
}
