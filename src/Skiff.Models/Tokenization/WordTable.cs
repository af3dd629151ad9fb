using System.Numerics;
using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Byte strings and how often each was seen: an open hash table over one block of memory. For one thread.</summary>
internal sealed class WordTable
{
    // Hashes differ from run to run, so that no file can be made to collide; no result depends on them.
    private static readonly ulong s_seed = (ulong)Random.Shared.NextInt64() | 1;

    private Entry[] _entries = new Entry[1 << 12];
    private byte[] _bytes = new byte[1 << 16];
    private int _used;

    /// <summary>Different words.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all different words together.</summary>
    public int Bytes => _used;

    /// <summary>Adds <paramref name="count"/> to a word's count.</summary>
    /// <exception cref="InvalidInputException">There are more bytes of distinct words than an array holds.</exception>
    public void Add(ReadOnlySpan<byte> word, long count)
    {
        uint hash = Hash(word);
        int mask = _entries.Length - 1;
        for (int slot = (int)hash & mask; ; slot = (slot + 1) & mask)
        {
            ref Entry entry = ref _entries[slot];
            if (entry.Count == 0)
            {
                entry = new Entry { Hash = hash, Start = Store(word), Length = word.Length, Count = count };
                if (++Count > _entries.Length / 2)
                    Grow();
                return;
            }

            if (entry.Hash == hash && entry.Length == word.Length && word.SequenceEqual(_bytes.AsSpan(entry.Start, entry.Length)))
            {
                entry.Count += count;
                return;
            }
        }
    }

    /// <summary>Calls <paramref name="visit"/> with every word and its count, in no particular order.</summary>
    public void ForEach(WordVisitor visit)
    {
        foreach (ref readonly Entry entry in _entries.AsSpan())
        {
            if (entry.Count != 0)
                visit(_bytes.AsSpan(entry.Start, entry.Length), entry.Count);
        }
    }

    private int Store(ReadOnlySpan<byte> word)
    {
        if (word.Length > Array.MaxLength - _used)
            throw new InvalidInputException("text", "pre-tokens", $"more than {Array.MaxLength} bytes of distinct pre-tokens: train on less text");
        if (word.Length > _bytes.Length - _used)
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(2L * _bytes.Length, (long)_used + word.Length)));
        word.CopyTo(_bytes.AsSpan(_used));
        _used += word.Length;
        return _used - word.Length;
    }

    private void Grow()
    {
        Entry[] entries = new Entry[2 * _entries.Length];
        int mask = entries.Length - 1;
        foreach (ref readonly Entry entry in _entries.AsSpan())
        {
            if (entry.Count == 0)
                continue;
            int slot = (int)entry.Hash & mask;
            while (entries[slot].Count != 0)
                slot = (slot + 1) & mask;
            entries[slot] = entry;
        }

        _entries = entries;
    }

    private static uint Hash(ReadOnlySpan<byte> word)
    {
        ulong hash = s_seed + (ulong)word.Length;
        while (word.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(word));
            word = word[8..];
        }

        ulong rest = 0;
        foreach (byte value in word)
            rest = (rest << 8) | value;
        hash = Mix(hash ^ rest);
        return (uint)(hash ^ (hash >> 32));
    }

    private static ulong Mix(ulong value)
    {
        ulong high = Math.BigMul(value, 0x9E3779B97F4A7C15, out ulong low);
        return BitOperations.RotateLeft(high, 23) ^ low ^ s_seed;
    }

    /// <summary>Sees one word and its count.</summary>
    public delegate void WordVisitor(ReadOnlySpan<byte> word, long count);

    private struct Entry
    {
        public uint Hash;
        public int Start;
        public int Length;
        public long Count;
    }
}
