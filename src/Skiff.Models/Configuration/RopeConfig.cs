namespace Skiff.Models;

/// <summary>How frequencies of the rotary embedding are stretched for longer contexts.</summary>
public enum RopeScaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>The base grows with the sequence (NTK-aware).</summary>
    Dynamic,

    /// <summary>As <see cref="Dynamic"/>, in powers of two (Qwen 1).</summary>
    QwenDynamic,

    /// <summary>Low frequencies divided, high kept, a ramp between (Llama 3.1).</summary>
    Llama3,

    /// <summary>YaRN (arXiv 2309.00071).</summary>
    Yarn,

    /// <summary>A factor for each frequency, one set for short and one for long sequences (LongRoPE, arXiv 2402.13753).</summary>
    LongRope,
}

/// <summary>Rotary embedding of the first <see cref="RotaryDim"/> values of a head; value i pairs with i + RotaryDim/2.</summary>
public sealed record RopeConfig
{
    /// <summary>How many values of a head are turned; even.</summary>
    public required int RotaryDim { get; init; }

    /// <summary>Base of the frequencies, theta^(-2i / RotaryDim).</summary>
    public double Theta { get; init; } = 10000;

    /// <summary>The stretching.</summary>
    public RopeScaling Scaling { get; init; }

    /// <summary>The stretching factor.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>The context the frequencies were trained at, before stretching.</summary>
    public int OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>Llama 3: wavelengths above original / this are divided by the factor.</summary>
    public double LowFreqFactor { get; init; } = 1;

    /// <summary>Llama 3: wavelengths below original / this are kept.</summary>
    public double HighFreqFactor { get; init; } = 4;

    /// <summary>YaRN: rotations above which a frequency is kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: rotations below which a frequency is divided.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: the ramp's ends are rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Factor on the rotated values; 0 for the method's own formula.</summary>
    public double AttentionFactor { get; init; }

    /// <summary>LongRoPE: divisors up to the original context.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>LongRoPE: divisors beyond it.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];

    /// <summary>
    /// The angle per position of each pair, and the factor on the rotated values, for a sequence that will hold
    /// <paramref name="length"/> positions (only Dynamic and LongRope look at it).
    /// </summary>
    public (double[] Frequencies, double Scale) Frequencies(int length)
    {
        int pairs = RotaryDim / 2;
        double theta = Theta;
        if (Scaling == RopeScaling.Dynamic && length > OriginalMaxPositionEmbeddings)
        {
            double stretch = Factor * length / OriginalMaxPositionEmbeddings - (Factor - 1);
            theta *= Math.Pow(stretch, RotaryDim / (RotaryDim - 2.0));
        }
        else if (Scaling == RopeScaling.QwenDynamic && length > OriginalMaxPositionEmbeddings)
        {
            double alpha = Math.Pow(2, Math.Ceiling(Math.Log2((double)length / OriginalMaxPositionEmbeddings) + 1)) - 1;
            theta *= Math.Pow(Math.Max(alpha, 1), RotaryDim / (RotaryDim - 2.0));
        }

        double[] frequencies = new double[pairs];
        for (int i = 0; i < pairs; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / RotaryDim);
        double scale = AttentionFactor == 0 ? 1 : AttentionFactor;
        switch (Scaling)
        {
            case RopeScaling.Linear:
                Divide(frequencies, _ => Factor);
                break;
            case RopeScaling.Llama3:
                Divide(frequencies, i => 1 / Llama3Share(2 * Math.PI / frequencies[i]));
                break;
            case RopeScaling.LongRope:
                IReadOnlyList<double> factors = length > OriginalMaxPositionEmbeddings ? LongFactor : ShortFactor;
                Divide(frequencies, i => factors[i]);
                if (AttentionFactor == 0 && Factor > 1)
                    scale = Math.Sqrt(1 + Math.Log(Factor) / Math.Log(OriginalMaxPositionEmbeddings));
                break;
            case RopeScaling.Yarn:
                ScaleYarn(frequencies);
                if (AttentionFactor == 0 && Factor > 1)
                    scale = 0.1 * Math.Log(Factor) + 1;
                break;
        }

        return (frequencies, scale);
    }

    private static void Divide(double[] frequencies, Func<int, double> divisor)
    {
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] /= divisor(i);
    }

    private double Llama3Share(double wavelength)
    {
        double lowWavelength = OriginalMaxPositionEmbeddings / LowFreqFactor;
        double highWavelength = OriginalMaxPositionEmbeddings / HighFreqFactor;
        if (wavelength > lowWavelength)
            return 1 / Factor;
        if (wavelength < highWavelength)
            return 1;
        double smooth = (OriginalMaxPositionEmbeddings / wavelength - LowFreqFactor) / (HighFreqFactor - LowFreqFactor);
        return (1 - smooth) / Factor + smooth;
    }

    // Equations 17 to 20 of the YaRN paper: a ramp over dimensions between BetaFast and BetaSlow rotations.
    private void ScaleYarn(double[] frequencies)
    {
        double low = DimensionOf(BetaFast), high = DimensionOf(BetaSlow);
        if (Truncate)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, RotaryDim - 1);
        if (low == high)
            high += 0.001;
        for (int i = 0; i < frequencies.Length; i++)
        {
            double ramp = Math.Clamp((i - low) / (high - low), 0, 1);
            frequencies[i] = frequencies[i] / Factor * ramp + frequencies[i] * (1 - ramp);
        }
    }

    private double DimensionOf(double rotations) =>
        RotaryDim * Math.Log(OriginalMaxPositionEmbeddings / (rotations * 2 * Math.PI)) / (2 * Math.Log(Theta));
}
