using System.Numerics;

namespace Skiff.Evaluation;

/// <summary>
/// Python's <c>random.Random</c> as far as demonstrations are drawn with it, so that the same seed draws the same ones: the Mersenne Twister (Matsumoto and
/// Nishimura 1998), seeded by an integer, and <c>sample</c>.
/// </summary>
internal sealed class PythonRandom
{
    private const int Length = 624, Shift = 397;

    private readonly uint[] _state = new uint[Length];
    private int _next = Length;

    /// <summary>Seeded as <c>Random(seed)</c>.</summary>
    public PythonRandom(uint seed)
    {
        // init_by_array with one word.
        Fill(19650218);
        uint[] key = [seed];
        int i = 1, j = 0;
        for (int k = Length; k > 0; k--)
        {
            _state[i] = (_state[i] ^ ((_state[i - 1] ^ (_state[i - 1] >> 30)) * 1664525)) + key[j] + (uint)j;
            (i, j) = (i + 1, (j + 1) % key.Length);
            if (i >= Length)
                (_state[0], i) = (_state[Length - 1], 1);
        }

        for (int k = Length - 1; k > 0; k--)
        {
            _state[i] = (_state[i] ^ ((_state[i - 1] ^ (_state[i - 1] >> 30)) * 1566083941)) - (uint)i;
            if (++i >= Length)
                (_state[0], i) = (_state[Length - 1], 1);
        }

        _state[0] = 0x80000000;
    }

    /// <summary>Different numbers below a limit, as <c>sample(range(limit), count)</c> draws them.</summary>
    public int[] Sample(int limit, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, limit);
        int[] result = new int[count];
        int setSize = 21;
        if (count > 5)
            setSize += (int)Math.Pow(4, Math.Ceiling(Math.Log(count * 3, 4)));
        if (limit <= setSize)
        {
            int[] pool = [.. Enumerable.Range(0, limit)];
            for (int i = 0; i < count; i++)
            {
                int j = Below(limit - i);
                result[i] = pool[j];
                pool[j] = pool[limit - i - 1];
            }

            return result;
        }

        HashSet<int> chosen = [];
        for (int i = 0; i < count; i++)
        {
            int j = Below(limit);
            while (!chosen.Add(j))
                j = Below(limit);
            result[i] = j;
        }

        return result;
    }

    // getrandbits until the number is below.
    private int Below(int limit)
    {
        int bits = 32 - BitOperations.LeadingZeroCount((uint)limit);
        uint value;
        do
            value = Next() >> (32 - bits);
        while (value >= limit);
        return (int)value;
    }

    private uint Next()
    {
        if (_next >= Length)
            Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    private void Twist()
    {
        for (int i = 0; i < Length; i++)
        {
            uint y = (_state[i] & 0x80000000) | (_state[(i + 1) % Length] & 0x7fffffff);
            _state[i] = _state[(i + Shift) % Length] ^ (y >> 1) ^ ((y & 1) * 0x9908b0df);
        }

        _next = 0;
    }

    private void Fill(uint seed)
    {
        _state[0] = seed;
        for (uint i = 1; i < Length; i++)
            _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
    }
}
