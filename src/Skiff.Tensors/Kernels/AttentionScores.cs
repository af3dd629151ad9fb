using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// What happens to a row of scores between two products. Vectors of 512 bits, which the runtime splits where the processor has
/// narrower ones; lanes outside the interval that the row sees hold zero afterwards, whatever lay there.
/// </summary>
internal static unsafe class AttentionScores
{
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
    public static float Max(float* row, int start, int end, float scale, float least)
    {
        Vector512<float> most = Vector512.Create(least), factor = Vector512.Create(scale);
        for (int c = start & ~15; c < end; c += 16)
            most = Vector512.MaxNative(most, Vector512.ConditionalSelect(Inside(c, start, end), Vector512.Load(row + c) * factor, most));
        Vector256<float> half = Vector256.MaxNative(most.GetLower(), most.GetUpper());
        Vector128<float> four = Vector128.MaxNative(half.GetLower(), half.GetUpper());
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>row[c] = e^(scale row[c] - shift) in an interval and 0 in the rest of from to to; the sum of the row.</summary>
    public static float Exponentials(float* row, int start, int end, float scale, float shift, int from, int to)
    {
        Vector512<float> sum = Vector512<float>.Zero, factor = Vector512.Create(scale), offset = Vector512.Create(-shift);
        for (int c = from & ~15; c < to; c += 16)
        {
            Vector512<float> power = Exp(Vector512.FusedMultiplyAdd(Vector512.Load(row + c), factor, offset));
            power = Vector512.ConditionalSelect(Inside(c, start, end), power, Vector512<float>.Zero);
            power.Store(row + c);
            sum += power;
        }

        return Vector512.Sum(sum);
    }

    /// <summary>dp[c] = p[c] (dp[c] - delta) scale in an interval and 0 in the rest of from to to; with a cap times 1 - tanh^2.</summary>
    public static void Gradients(float* p, float* dp, float delta, float scale, float* tanh, int start, int end, int from, int to)
    {
        Vector512<float> less = Vector512.Create(delta), factor = Vector512.Create(scale);
        for (int c = from & ~15; c < to; c += 16)
        {
            Vector512<float> ds = Vector512.Load(p + c) * (Vector512.Load(dp + c) - less) * factor;
            if (tanh != null)
            {
                Vector512<float> curve = Vector512.Load(tanh + c);
                ds *= Vector512<float>.One - curve * curve;
            }

            Vector512.ConditionalSelect(Inside(c, start, end), ds, Vector512<float>.Zero).Store(dp + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Inside(int column, int start, int end)
    {
        Vector512<int> index = Vector512<int>.Indices + Vector512.Create(column);
        return (Vector512.GreaterThanOrEqual(index, Vector512.Create(start)) & Vector512.LessThan(index, Vector512.Create(end))).AsSingle();
    }

    // e^x = 2^n e^r with |r| <= ln 2 / 2 and e^r by its Taylor series to r^7: within 2 units in the last place. Below
    // the normal numbers the result is 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> n = Vector512.Round(x * Vector512.Create(1.44269504f));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693145752f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-1.42860677e-6f), r);
        Vector512<float> e = Vector512.Create(1 / 5040f);
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1 / 720f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1 / 120f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1 / 24f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(1 / 6f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512.Create(0.5f));
        e = Vector512.FusedMultiplyAdd(e, r, Vector512<float>.One);
        e = Vector512.FusedMultiplyAdd(e, r, Vector512<float>.One);
        Vector512<float> power = ((Vector512.ConvertToInt32Native(n) + Vector512.Create(127)) << 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87f)), Vector512<float>.Zero, e * power);
    }
}
