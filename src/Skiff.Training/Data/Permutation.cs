using System.Numerics;

namespace Skiff.Training;

/// <summary>
/// A pseudo-random order of 0 to count-1 that takes no memory: a balanced Feistel network (Luby and Rackoff 1988) over the
/// next power of four, walked until it lands inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"); at
/// most four steps on average.
/// </summary>
internal readonly struct Permutation
{
    private const int Rounds = 6;

    private readonly ulong _count;
    private readonly ulong _key;
    private readonly int _half;
    private readonly ulong _mask;

    /// <summary>The order that belongs to a key.</summary>
    public Permutation(long count, ulong key)
    {
        _count = (ulong)count;
        _key = key;
        int bits = count <= 1 ? 0 : 64 - BitOperations.LeadingZeroCount((ulong)count - 1);
        _half = Math.Max(1, (bits + 1) / 2);
        _mask = (1UL << _half) - 1;
    }

    /// <summary>What stands at <paramref name="index"/>.</summary>
    public long this[long index]
    {
        get
        {
            ulong value = (ulong)index;
            do
                value = Step(value);
            while (value >= _count);
            return (long)value;
        }
    }

    /// <summary>The mixing function of SplitMix64 (Steele, Lea and Flood 2014).</summary>
    public static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private ulong Step(ulong value)
    {
        ulong left = value >> _half, right = value & _mask;
        for (uint round = 0; round < Rounds; round++)
            (left, right) = (right, left ^ (Mix(_key ^ Mix(right + ((ulong)round << 32 << 16))) & _mask));
        return (left << _half) | right;
    }
}
