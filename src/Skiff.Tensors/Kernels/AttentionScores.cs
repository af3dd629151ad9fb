using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// What happens to a row of scores between two products. Vectors of 512 bits, which the runtime splits where the processor has
/// narrower ones; lanes outside the interval that the row sees hold zero afterwards, whatever lay there.
/// </summary>
internal static unsafe class AttentionScores
{
    /// <summary>log2(e): e^x is 2^(x log2(e)).</summary>
    public const float Log2E = 1.44269504f;

    private const byte TowardsMinusInfinity = 9;

    /// <summary>
    /// row[c] = cap(row[c] scale) + slope (position[c] - i), in place for the columns of an interval. With a cap,
    /// <paramref name="tanh"/> keeps tanh for its derivative 1 - tanh^2.
    /// </summary>
    public static void Transform(float* row, int start, int end, float scale, float softCap, float slope, float* positions, float i, float* tanh)
    {
        Span<float> values = new(row + start, end - start);
        if (softCap > 0)
        {
            TensorPrimitives.Multiply(values, scale / softCap, values);
            Span<float> curve = new(tanh + start, end - start);
            TensorPrimitives.Tanh(values, curve);
            TensorPrimitives.Multiply(curve, softCap, values);
        }
        else
        {
            TensorPrimitives.Multiply(values, scale, values);
        }

        for (int c = start; c < end && slope != 0; c++)
            row[c] += slope * (positions[c] - i);
    }

    /// <summary>The greatest of scale row[c] in an interval, at least <paramref name="least"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(float* row, int start, int end, float scale, float least)
    {
        Vector512<float> most = Vector512.Create(least), factor = Vector512.Create(scale);
        for (int c = start & ~15; c < end; c += 16)
        {
            Vector512<float> values = Vector512.Load(row + c) * factor;
            most = Vector512.MaxNative(most, c >= start && c + 16 <= end ? values : Vector512.ConditionalSelect(Inside(c, start, end), values, most));
        }

        return VectorFunctions.Largest(most);
    }

    /// <summary>
    /// row[c] = 2^(scale row[c] - shift) in an interval and 0 in the rest of from to to; the sum of the row. With factors, row[c] is multiplied
    /// by its own behind the sum.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Powers(float* row, int start, int end, float scale, float shift, int from, int to, float* factors = null)
    {
        Vector512<float> sum = Vector512<float>.Zero, factor = Vector512.Create(scale), offset = Vector512.Create(-shift);
        for (int c = from & ~15; c < to; c += 16)
        {
            Vector512<float> power = Vector512<float>.Zero;
            if (c < end && c + 16 > start)
            {
                power = Power(Vector512.FusedMultiplyAdd(Vector512.Load(row + c), factor, offset));
                if (c < start || c + 16 > end)
                    power = Vector512.ConditionalSelect(Inside(c, start, end), power, Vector512<float>.Zero);
            }

            sum += power;
            if (factors != null && c < end && c + 16 > start)
                power = Vector512.ConditionalSelect(Inside(c, start, end), power * Vector512.Load(factors + c), power);
            power.Store(row + c);
        }

        return Vector512.Sum(sum);
    }

    /// <summary>
    /// p[c] = e^(scale p[c] - shift) and dp[c] = p[c] (dp[c] - delta) slope in an interval, both 0 in the rest of from to to; with a
    /// cap, dp is multiplied by 1 - tanh^2 too.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradients(float* p, float* dp, int start, int end, float scale, float shift, float delta, float slope, float* tanh, int from, int to)
    {
        Vector512<float> factor = Vector512.Create(scale), offset = Vector512.Create(-shift), base2 = Vector512.Create(Log2E), less = Vector512.Create(-delta * slope), more = Vector512.Create(slope);
        for (int c = from & ~15; c < to; c += 16)
        {
            Vector512<float> power = Vector512<float>.Zero, ds = Vector512<float>.Zero;
            if (c < end && c + 16 > start)
            {
                power = Power(Vector512.FusedMultiplyAdd(Vector512.Load(p + c), factor, offset) * base2);
                ds = power * Vector512.FusedMultiplyAdd(Vector512.Load(dp + c), more, less);
                if (tanh != null)
                {
                    Vector512<float> curve = Vector512.Load(tanh + c);
                    ds *= Vector512<float>.One - curve * curve;
                }

                if (c < start || c + 16 > end)
                {
                    Vector512<float> inside = Inside(c, start, end);
                    power = Vector512.ConditionalSelect(inside, power, Vector512<float>.Zero);
                    ds = Vector512.ConditionalSelect(inside, ds, Vector512<float>.Zero);
                }
            }

            power.Store(p + c);
            ds.Store(dp + c);
        }
    }

    /// <summary>row[c] = row[c] factors[c] in an interval.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(float* row, int start, int end, float* factors)
    {
        for (int c = start & ~15; c < end; c += 16)
        {
            Vector512<float> values = Vector512.Load(row + c), products = values * Vector512.Load(factors + c);
            (c >= start && c + 16 <= end ? products : Vector512.ConditionalSelect(Inside(c, start, end), products, values)).Store(row + c);
        }
    }

    /// <summary>row[c] = row[c] factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply(float* row, int count, float factor)
    {
        int c = 0;
        for (; c <= count - 16; c += 16)
            (Vector512.Load(row + c) * factor).Store(row + c);
        for (; c < count; c++)
            row[c] *= factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Inside(int column, int start, int end)
    {
        Vector512<int> index = Vector512<int>.Indices + Vector512.Create(column);
        return (Vector512.GreaterThanOrEqual(index, Vector512.Create(start)) & Vector512.LessThan(index, Vector512.Create(end))).AsSingle();
    }

    // 2^x = 2^floor(x) 2^f, for x up to 127: 2^f on 0 to 1 is our own interpolation at Chebyshev nodes, within 1.1e-7. Below the
    // normal numbers the result is 0 or one of the numbers between.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Power(Vector512<float> x)
    {
        // The processor takes floor and fraction of x by itself.
        bool direct = Avx512F.IsSupported && Avx512DQ.IsSupported;
        Vector512<float> whole = direct ? x : Vector512.Floor(x), f = direct ? Avx512DQ.Reduce(x, TowardsMinusInfinity) : x - whole;
        Vector512<float> e = Vector512.Create(0.001893754058f);
        e = Vector512.FusedMultiplyAdd(e, f, Vector512.Create(0.008949590423f));
        e = Vector512.FusedMultiplyAdd(e, f, Vector512.Create(0.05586033708f));
        e = Vector512.FusedMultiplyAdd(e, f, Vector512.Create(0.2401418182f));
        e = Vector512.FusedMultiplyAdd(e, f, Vector512.Create(0.6931544897f));
        e = Vector512.FusedMultiplyAdd(e, f, Vector512.Create(0.9999998984f));
        if (direct)
            return Avx512F.Scale(e, x);
        Vector512<float> power = ((Vector512.ConvertToInt32Native(whole) + Vector512.Create(127)) << 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-126f)), Vector512<float>.Zero, e * power);
    }
}
