using System.Numerics;

namespace Skiff.Models;

/// <summary>Merges looked up by their two token ids: one open-addressing table, one probe in the common case.</summary>
internal sealed class MergeTable
{
    /// <summary>What <see cref="Find"/> gives for a pair that does not merge; larger than every merge.</summary>
    public const long None = long.MaxValue;

    private const ulong Empty = ulong.MaxValue;
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private readonly ulong[] _keys;
    private readonly long[] _values;
    private readonly int _shift;

    /// <summary>A table for at most <paramref name="count"/> merges.</summary>
    public MergeTable(int count)
    {
        int bits = BitOperations.Log2((uint)Math.Max(4, count + (count / 2))) + 1;
        _keys = new ulong[1 << bits];
        _values = new long[1 << bits];
        Array.Fill(_keys, Empty);
        _shift = 64 - bits;
    }

    /// <summary>Adds a merge; false where the pair is already there.</summary>
    public bool TryAdd(int left, int right, int rank, int merged)
    {
        ulong key = Key(left, right);
        int slot = Slot(key);
        while (_keys[slot] != Empty)
        {
            if (_keys[slot] == key)
                return false;
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _values[slot] = ((long)rank << 32) | (uint)merged;
        return true;
    }

    /// <summary>Rank in the upper half, merged id in the lower half, or <see cref="None"/>.</summary>
    public long Find(int left, int right)
    {
        ulong key = Key(left, right);
        ulong[] keys = _keys;
        int slot = Slot(key);
        while (true)
        {
            ulong found = keys[slot];
            if (found == key)
                return _values[slot];
            if (found == Empty)
                return None;
            slot = (slot + 1) & (keys.Length - 1);
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key)
    {
        // Two rounds: ids that differ only in the left half must still spread.
        ulong hash = key * Golden;
        return (int)(((hash ^ (hash >> 29)) * Golden) >> _shift);
    }
}
