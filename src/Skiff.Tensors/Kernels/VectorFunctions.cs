using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// Transcendental functions on vectors in single precision, of any width. Largest errors, measured against double precision by
/// the tests: <see cref="Exp(Vector{float})"/> 2e-7 relative, <see cref="Sigmoid"/> 3e-7 relative, <see cref="Tanh"/> 3e-7 relative,
/// <see cref="NormalIntegral"/> 1e-6 relative down to -5 and 3e-7 absolute everywhere. Polynomials are our own interpolations at
/// Chebyshev nodes.
/// </summary>
internal static class VectorFunctions
{
    /// <summary>
    /// e^x = 2^n e^r with |r| at most ln(2) / 2 (Cody and Waite's reduction). Below -86.9 the result is 0, a subnormal's cost
    /// being more than its worth; above 88.7 it is infinite; NaN stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> x)
    {
        // Adding 1.5 * 2^23 leaves the rounded quotient in the low bits.
        Vector<float> magic = new(12582912f);
        // The plain instructions: exact rules for NaN take four times as many, and NaN is put back at the end.
        Vector<float> bounded = Vector.MinNative(Vector.MaxNative(x, new Vector<float>(-88f)), new Vector<float>(89f));
        Vector<float> shifted = Vector.MultiplyAddEstimate(bounded, new Vector<float>(1.44269504f), magic), n = shifted - magic;
        // ln(2) in two pieces, the first with zeros behind: n times it is exact.
        Vector<float> r = Vector.MultiplyAddEstimate(n, new Vector<float>(-0.693359375f), bounded);
        r = Vector.MultiplyAddEstimate(n, new Vector<float>(2.12194440e-4f), r);
        Vector<float> p = Vector.MultiplyAddEstimate(new Vector<float>(0.0013926203f), r, new Vector<float>(0.008363195f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(0.041666554f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(0.16666577f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(0.5f));
        p = Vector.MultiplyAddEstimate(p, r * r, r) + Vector<float>.One;
        // n up to 128 does not fit an exponent: half the power first, then twice the result.
        Vector<int> exponent = Vector.AsVectorInt32(shifted) - Vector.AsVectorInt32(magic) + new Vector<int>(126);
        Vector<float> result = p * Vector.AsVectorSingle(Vector.ShiftLeft(exponent, 23)) * new Vector<float>(2f);
        result = Vector.ConditionalSelect(Vector.LessThan(x, new Vector<float>(-86.9f)), Vector<float>.Zero, result);
        result = Vector.ConditionalSelect(Vector.GreaterThan(x, new Vector<float>(88.72283f)), new Vector<float>(float.PositiveInfinity), result);
        return Vector.ConditionalSelect(Vector.Equals(x, x), result, x);
    }

    /// <summary>
    /// The same in 512 bits, for processors that have them: scaling by a power of two is one instruction there, which makes zero and
    /// infinity by itself. Below the normal numbers the result is one of the subnormal ones.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // Of two numbers one of which is NaN, these take the second.
        Vector512<float> bounded = Vector512.MinNative(Vector512.Create(89f), Vector512.MaxNative(Vector512.Create(-104f), x));
        Vector512<float> n = Vector512.Round(bounded * Vector512.Create(1.44269504f));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), bounded);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(0.0013926203f), r, Vector512.Create(0.008363195f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.041666554f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.16666577f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;
        return Avx512F.Scale(p, n);
    }

    /// <summary>1 / (1 + e^-x); below -88.7 it is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Sigmoid(Vector<float> x) => Vector<float>.One / (Vector<float>.One + Exp(-x));

    /// <summary>tanh(x): an odd polynomial up to 0.625, where 1 - 2 / (1 + e^2x) would lose digits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Tanh(Vector<float> x)
    {
        Vector<float> z = x * x;
        Vector<float> p = Vector.MultiplyAddEstimate(new Vector<float>(-0.0059907988f), z, new Vector<float>(0.020922589f));
        p = Vector.MultiplyAddEstimate(p, z, new Vector<float>(-0.053834796f));
        p = Vector.MultiplyAddEstimate(p, z, new Vector<float>(0.13332661f));
        p = Vector.MultiplyAddEstimate(p, z, new Vector<float>(-0.33333328f));
        Vector<float> small = Vector.MultiplyAddEstimate(p * z, x, x);
        Vector<float> large = Vector<float>.One - new Vector<float>(2f) / (Vector<float>.One + Exp(x + x));
        return Vector.ConditionalSelect(Vector.LessThan(Vector.Abs(x), new Vector<float>(0.625f)), small, large);
    }

    /// <summary>
    /// Phi(x), the integral of the normal distribution, and its density. The tail is density times a polynomial in
    /// 1 / (1 + 0.4 |x| / sqrt(2)) (the form of Abramowitz and Stegun, 7.1.26, with more terms).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> NormalIntegral(Vector<float> x, out Vector<float> density)
    {
        Vector<float> e = Exp(x * x * new Vector<float>(-0.5f));
        density = e * new Vector<float>(0.39894228f);
        Vector<float> t = Vector<float>.One / Vector.MultiplyAddEstimate(Vector.Abs(x), new Vector<float>(0.28284271f), Vector<float>.One);
        Vector<float> p = Vector.MultiplyAddEstimate(new Vector<float>(0.038508509f), t, new Vector<float>(-0.12744643f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.058450888f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.11585861f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.061465437f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.20074254f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.20012525f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.22667327f));
        p = Vector.MultiplyAddEstimate(p, t, new Vector<float>(0.22562171f));
        Vector<float> tail = new Vector<float>(0.5f) * e * p * t;
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), tail, Vector<float>.One - tail);
    }

    /// <summary>The largest of 16 values.</summary>
    public static float Largest(Vector512<float> values)
    {
        Vector256<float> half = Vector256.MaxNative(values.GetLower(), values.GetUpper());
        Vector128<float> four = Vector128.MaxNative(half.GetLower(), half.GetUpper());
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>The first values of a place that holds fewer than a vector; the rest are 0.</summary>
    public static unsafe Vector<float> LoadFirst(float* source, int count)
    {
        Vector<float> values = Vector<float>.Zero;
        Unsafe.CopyBlockUnaligned(&values, source, (uint)(count * sizeof(float)));
        return values;
    }

    /// <summary>Stores the first values of a vector.</summary>
    public static unsafe void StoreFirst(Vector<float> values, float* target, int count) =>
        Unsafe.CopyBlockUnaligned(target, &values, (uint)(count * sizeof(float)));

    /// <summary>A vector of a row of which <paramref name="rest"/> values are left, 1 or more; lanes behind them are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector<float> Load(float* source, int rest) => rest < Vector<float>.Count ? LoadFirst(source, rest) : Vector.Load(source);

    /// <summary>Stores what fits of a row of which <paramref name="rest"/> values are left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Vector<float> values, float* target, int rest)
    {
        if (rest < Vector<float>.Count)
            StoreFirst(values, target, rest);
        else
            values.Store(target);
    }
}
