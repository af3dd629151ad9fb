namespace Skiff.Tensors;

/// <summary>RMSNorm and LayerNorm with sums in double precision.</summary>
public static class Norm
{
    /// <summary>
    /// Normalizes each group of <paramref name="size"/> values in place: x / sqrt(mean(x^2) + eps) * (gain + offset)
    /// (arXiv 1910.07467, equation 4), or with the mean subtracted first and a bias added (arXiv 1607.06450).
    /// </summary>
    /// <param name="x">[groups, size].</param>
    /// <param name="size">Values in a group.</param>
    /// <param name="rms">RMSNorm rather than LayerNorm.</param>
    /// <param name="epsilon">Added to the mean square or variance.</param>
    /// <param name="gain">[size] or empty.</param>
    /// <param name="bias">[size] or empty.</param>
    /// <param name="gainOffset">Added to every gain.</param>
    public static void Apply(Span<float> x, int size, bool rms, double epsilon, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float gainOffset)
    {
        for (int start = 0; start < x.Length; start += size)
        {
            Span<float> group = x.Slice(start, size);
            double mean = 0, square = 0;
            if (!rms)
            {
                foreach (float value in group)
                    mean += value;
                mean /= size;
            }

            foreach (float value in group)
                square += (value - mean) * (value - mean);
            double scale = 1 / Math.Sqrt(square / size + epsilon);
            for (int i = 0; i < size; i++)
            {
                double value = (group[i] - mean) * scale;
                if (gain.Length > 0)
                    value *= (double)gain[i] + gainOffset;
                if (bias.Length > 0)
                    value += bias[i];
                group[i] = (float)value;
            }
        }
    }
}
