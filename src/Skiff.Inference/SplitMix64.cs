namespace Skiff.Inference;

/// <summary>
/// The random numbers of <see cref="Sampler"/>: SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
/// number generators"). One 64-bit word of state, every seed is as good as any other, period 2^64.
/// </summary>
public sealed class SplitMix64(ulong seed)
{
    /// <summary>The whole state: a generator made from it goes on where this one stands.</summary>
    public ulong State { get; private set; } = seed;

    /// <summary>64 random bits.</summary>
    public ulong Next() => Mix(State += 0x9E3779B97F4A7C15);

    /// <summary>A number from 0 up to but not including 1.</summary>
    public static double Share(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));

    /// <summary>64 bits that look random, of 64 that do not.</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 up to but not including 1: the upper 53 bits of <see cref="Next"/> over 2^53.</summary>
    public double NextDouble() => Share(Next());
}
