using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// What the types with blocks of 256 share: packed 6-bit scales, and the search for the scale and offset of a group that
/// leave the least weighted squared error. Eight groups are searched at once, one in each lane, so that every sum runs
/// in the order of ggml's reference and gives the same bits. Source: make_qkx2_quants and make_qx_quants of
/// ggml-quants.c.
/// </summary>
internal static class KBlocks
{
    /// <summary>Values in a block.</summary>
    public const int Block = 256;

    /// <summary>Bytes that hold eight 6-bit scales and eight 6-bit minima.</summary>
    public const int PackedScales = 12;

    /// <summary>Groups whose greatest magnitude is below this count as zeros.</summary>
    public const float ZeroBelow = 1e-15f;

    /// <summary>
    /// Scale and minimum of group <paramref name="g"/> of 8: the first four lie in the low six bits of bytes g and g + 4;
    /// the others have four bits each in byte g + 4 and their upper two bits on top of bytes g - 4 and g.
    /// </summary>
    public static (int Scale, int Minimum) Unpack(ReadOnlySpan<byte> packed, int g) => g < 4
        ? (packed[g] & 63, packed[g + 4] & 63)
        : ((packed[g + 4] & 15) | (packed[g - 4] >> 6 << 4), (packed[g + 4] >> 4) | (packed[g] >> 6 << 4));

    /// <summary>
    /// Writes the head of a block, two half-precision numbers and the packed scales and minima, and finds the
    /// <paramref name="codes"/> nearest to the values under the scales as stored.
    /// </summary>
    public static void Quantize(ReadOnlySpan<float> values, int most, Vector256<float> scales, Vector256<float> minima, Span<byte> head, Span<byte> codes)
    {
        float greatestScale = 0, greatestMinimum = 0;
        for (int g = 0; g < 8; g++)
        {
            greatestScale = scales[g] > greatestScale ? scales[g] : greatestScale;
            greatestMinimum = minima[g] > greatestMinimum ? minima[g] : greatestMinimum;
        }

        BlockMath.Half(head, greatestScale / 63f);
        BlockMath.Half(head[2..], greatestMinimum / 63f);
        Span<byte> packed = head.Slice(4, PackedScales);
        Pack(scales, greatestScale > 0 ? 63f / greatestScale : 0f, minima, greatestMinimum > 0 ? 63f / greatestMinimum : 0f, packed);
        for (int g = 0; g < 8; g++)
        {
            (int scale, int minimum) = Unpack(packed, g);
            float step = BlockMath.Half(head) * scale, offset = BlockMath.Half(head[2..]) * minimum;
            for (int i = g * 32; i < (g * 32) + 32; i += 8)
            {
                Vector256<int> code = step == 0 ? default : BlockMath.Nearest((Vector256.Create(values[i..]) + Vector256.Create(offset)) / step);
                code = Vector256.Max(Vector256<int>.Zero, Vector256.Min(Vector256.Create(most), code));
                for (int k = 0; k < 8; k++)
                    codes[i + k] = (byte)code[k];
            }
        }
    }

    /// <summary>
    /// Scales s and minima m of 8 groups of 32 values x, so that x is near s * code - m with codes from 0 to
    /// <paramref name="most"/>. Tries the plain span of values, then spans of most + <paramref name="first"/> + 0.1 i steps,
    /// each refined by weighted least squares with weights |x| + the group's root mean square, or with the importance that is given.
    /// Unless <paramref name="isMinimumFree"/>, no m is negative.
    /// </summary>
    public static (Vector256<float> Scales, Vector256<float> Minima) Fit(
        ReadOnlySpan<float> block, ReadOnlySpan<float> importance, int most, float first, int tries, bool isMinimumFree)
    {
        Span<Vector256<float>> values = stackalloc Vector256<float>[32];
        Span<Vector256<float>> weights = stackalloc Vector256<float>[32];
        Span<Vector256<float>> codes = stackalloc Vector256<float>[32];
        Transpose(block, values);
        if (!importance.IsEmpty)
            Transpose(importance, weights);
        Vector256<float> squares = default;
        foreach (Vector256<float> x in values)
            squares += x * x;
        Vector256<float> typical = Vector256.Sqrt(squares / 32f);
        Vector256<float> least = values[0], greatest = values[0], sumW = default, sumX = default;
        for (int i = 0; i < values.Length; i++)
        {
            Vector256<float> x = values[i];
            if (importance.IsEmpty)
                weights[i] = typical + Vector256.Abs(x);
            least = Vector256.ConditionalSelect(Vector256.LessThan(x, least), x, least);
            greatest = Vector256.ConditionalSelect(Vector256.GreaterThan(x, greatest), x, greatest);
            sumW += weights[i];
            sumX += weights[i] * x;
        }

        // A group of positive values keeps 0 as its lower end where a minimum cannot be negative.
        if (!isMinimumFree)
            least = Vector256.Min(least, Vector256<float>.Zero);
        Vector256<float> flat = Vector256.Equals(greatest, least), steps = Vector256.Create((float)most) / (greatest - least);
        Vector256<float> scale = Vector256<float>.One / steps, minimum = least;
        Code(values, minimum, steps, most, codes);
        Vector256<float> error = Error(values, weights, codes, scale, minimum);
        for (int t = 0; t <= tries; t++)
        {
            // Each try starts from the best lower end so far.
            Code(values, minimum, Vector256.Create(first + (0.1f * t) + most) / (greatest - minimum), most, codes);
            Vector256<float> sumL = default, sumLL = default, sumXL = default;
            for (int i = 0; i < values.Length; i++)
            {
                Vector256<float> wl = weights[i] * codes[i];
                sumL += wl;
                sumLL += wl * codes[i];
                sumXL += wl * values[i];
            }

            Vector256<float> determinant = (sumW * sumLL) - (sumL * sumL);
            Vector256<float> newScale = ((sumW * sumXL) - (sumX * sumL)) / determinant;
            Vector256<float> newMinimum = ((sumLL * sumX) - (sumL * sumXL)) / determinant;
            Vector256<float> positive = isMinimumFree ? Vector256<float>.Zero : Vector256.GreaterThan(newMinimum, Vector256<float>.Zero);
            newScale = Vector256.ConditionalSelect(positive, sumXL / sumLL, newScale);
            newMinimum = Vector256.ConditionalSelect(positive, Vector256<float>.Zero, newMinimum);
            Vector256<float> newError = Error(values, weights, codes, newScale, newMinimum);
            Vector256<float> better = Vector256.LessThan(newError, error) & Vector256.GreaterThan(determinant, Vector256<float>.Zero);
            scale = Vector256.ConditionalSelect(better, newScale, scale);
            minimum = Vector256.ConditionalSelect(better, newMinimum, minimum);
            error = Vector256.ConditionalSelect(better, newError, error);
        }

        return (Vector256.ConditionalSelect(flat, Vector256<float>.Zero, scale), -Vector256.ConditionalSelect(flat, least, minimum));
    }

    /// <summary>
    /// Scales s of 8 groups of 16 or 32 values x, so that x is near s * code with codes from -<paramref name="half"/> to half - 1.
    /// Tries spans of half + 0.1 i steps for i from -9 to 9, each refined by least squares weighted with x², or with the importance
    /// that is given.
    /// </summary>
    public static Vector256<float> FitSymmetric(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, int half)
    {
        Span<Vector256<float>> groups = stackalloc Vector256<float>[values.Length / 8];
        Span<Vector256<float>> weights = stackalloc Vector256<float>[groups.Length];
        Transpose(values, groups);
        if (!importance.IsEmpty)
            Transpose(importance, weights);
        Vector256<float> magnitude = default, extreme = default;
        for (int i = 0; i < groups.Length; i++)
        {
            Vector256<float> x = groups[i];
            if (importance.IsEmpty)
                weights[i] = x * x;
            Vector256<float> greater = Vector256.GreaterThan(Vector256.Abs(x), magnitude);
            magnitude = Vector256.ConditionalSelect(greater, Vector256.Abs(x), magnitude);
            extreme = Vector256.ConditionalSelect(greater, x, extreme);
        }

        (Vector256<float> dot, Vector256<float> norm) = Project(groups, weights, Vector256.Create((float)-half) / extreme, half);
        Vector256<float> scale = Vector256.ConditionalSelect(Vector256.Equals(norm, Vector256<float>.Zero), Vector256<float>.Zero, dot / norm);
        Vector256<float> best = scale * dot;
        for (int t = -9; t <= 9; t++)
        {
            if (t == 0)
                continue;
            (dot, norm) = Project(groups, weights, Vector256.Create(-(half + (0.1f * t))) / extreme, half);
            Vector256<float> better = Vector256.GreaterThan(dot * dot, best * norm) & Vector256.GreaterThan(norm, Vector256<float>.Zero);
            scale = Vector256.ConditionalSelect(better, dot / norm, scale);
            best = Vector256.ConditionalSelect(better, scale * dot, best);
        }

        return Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(ZeroBelow)), Vector256<float>.Zero, scale);
    }

    // Quantizes eight scales and minima to 6 bits each, given 63 over the greatest of either.
    private static void Pack(Vector256<float> scales, float scaleSteps, Vector256<float> minima, float minimumSteps, Span<byte> packed)
    {
        packed.Clear();
        for (int g = 0; g < 8; g++)
        {
            int scale = Math.Min(63, (int)(byte)BlockMath.Nearest(scaleSteps * scales[g]));
            int minimum = Math.Min(63, (int)(byte)BlockMath.Nearest(minimumSteps * minima[g]));
            if (g < 4)
            {
                packed[g] = (byte)scale;
                packed[g + 4] = (byte)minimum;
                continue;
            }

            packed[g + 4] = (byte)((scale & 15) | ((minimum & 15) << 4));
            packed[g - 4] |= (byte)(scale >> 4 << 6);
            packed[g] |= (byte)(minimum >> 4 << 6);
        }
    }

    // Lane g of vector i is value i of group g.
    private static void Transpose(ReadOnlySpan<float> values, Span<Vector256<float>> groups)
    {
        int n = groups.Length;
        for (int i = 0; i < n; i++)
            groups[i] = Vector256.Create(values[i], values[i + n], values[i + (2 * n)], values[i + (3 * n)], values[i + (4 * n)], values[i + (5 * n)], values[i + (6 * n)], values[i + (7 * n)]);
    }

    private static void Code(ReadOnlySpan<Vector256<float>> values, Vector256<float> least, Vector256<float> steps, int most, Span<Vector256<float>> codes)
    {
        for (int i = 0; i < values.Length; i++)
        {
            Vector256<int> code = BlockMath.Nearest(steps * (values[i] - least));
            codes[i] = Vector256.ConvertToSingle(Vector256.Max(Vector256<int>.Zero, Vector256.Min(Vector256.Create(most), code)));
        }
    }

    private static Vector256<float> Error(ReadOnlySpan<Vector256<float>> values, ReadOnlySpan<Vector256<float>> weights, ReadOnlySpan<Vector256<float>> codes, Vector256<float> scale, Vector256<float> minimum)
    {
        Vector256<float> error = default;
        for (int i = 0; i < values.Length; i++)
        {
            Vector256<float> difference = (scale * codes[i]) + minimum - values[i];
            error += weights[i] * (difference * difference);
        }

        return error;
    }

    private static (Vector256<float> Dot, Vector256<float> Norm) Project(ReadOnlySpan<Vector256<float>> groups, ReadOnlySpan<Vector256<float>> weights, Vector256<float> steps, int half)
    {
        Vector256<float> dot = default, norm = default;
        for (int i = 0; i < groups.Length; i++)
        {
            Vector256<float> x = groups[i], weight = weights[i];
            Vector256<int> nearest = BlockMath.Nearest(steps * x);
            Vector256<float> code = Vector256.ConvertToSingle(Vector256.Max(Vector256.Create(-half), Vector256.Min(Vector256.Create(half - 1), nearest)));
            dot += weight * x * code;
            norm += weight * code * code;
        }

        return (dot, norm);
    }
}
