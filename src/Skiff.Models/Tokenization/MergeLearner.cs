using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The merge loop of byte-pair encoding: joins the most frequent adjacent pair, again and again. Pair counts are kept
/// up to date at the places a merge touches, so a merge costs its own occurrences and not the corpus.
/// </summary>
/// <remarks>
/// All distinct pre-tokens ("words") lie in one array, a number a byte. A token's id stands at its first byte, minus its
/// length at its last (where that is another one), so both neighbours are found without links.
/// </remarks>
internal sealed class MergeLearner : IComparer<MergeLearner.Rank>
{
    private const int Border = int.MinValue;
    private const int Inside = int.MinValue + 1;

    private readonly int[] _symbols;
    private readonly int[] _wordAt;
    private readonly long[] _counts;
    private readonly List<byte[]> _tokens = [];
    private readonly Dictionary<BpeToken, int> _ids = [];
    private readonly Dictionary<(int First, int Second), Pair> _pairs = [];
    private readonly PriorityQueue<Pair, Rank> _queue;
    private readonly List<(int First, int Second)> _merges = [];
    private readonly List<Pair> _grown = [];

    /// <summary>Lays out the words. The ids of the 256 bytes follow the order of their stand-ins.</summary>
    /// <exception cref="InvalidInputException">The words do not fit one array.</exception>
    public MergeLearner(WordTable words)
    {
        int[] idOf = new int[256];
        foreach (byte value in ByteLevelParts.ByteOrder)
            idOf[value] = Add([value]);
        long length = 1L + words.Bytes + words.Count;
        if (length > Array.MaxLength)
            throw new InvalidInputException("text", "pre-tokens", $"{length} bytes of distinct pre-tokens, at most {Array.MaxLength} are possible: train on less text");

        _symbols = new int[length];
        _wordAt = new int[length];
        _counts = new long[words.Count];
        _queue = new PriorityQueue<Pair, Rank>(this);
        int position = 0, word = 0;
        _symbols[position++] = Border;
        words.ForEach((bytes, count) =>
        {
            foreach (byte value in bytes)
            {
                _wordAt[position] = word;
                _symbols[position++] = idOf[value];
            }

            _symbols[position++] = Border;
            _counts[word++] = count;
        });

        for (int p = 1; p + 1 < _symbols.Length; p++)
        {
            if (_symbols[p] != Border && _symbols[p + 1] != Border)
                Grow(_symbols[p], _symbols[p + 1], p);
        }

        QueueGrown();
    }

    /// <summary>The bytes of every token, by id: the 256 bytes, then the merged ones.</summary>
    public IReadOnlyList<byte[]> Tokens => _tokens;

    /// <summary>The pairs joined, in order.</summary>
    public IReadOnlyList<(int First, int Second)> Merges => _merges;

    /// <summary>
    /// Merges until there are <paramref name="size"/> tokens or no pair is seen <paramref name="minFrequency"/> times.
    /// <paramref name="mayMerge"/> refuses a token by its bytes.
    /// </summary>
    public void Run(int size, long minFrequency, Func<byte[], bool> mayMerge, IProgress<BpeTrainingProgress>? progress, CancellationToken cancellation)
    {
        int start = _tokens.Count;
        while (_tokens.Count < size && _queue.TryDequeue(out Pair? pair, out Rank rank))
        {
            cancellation.ThrowIfCancellationRequested();
            if (pair.Count != rank.Count)
            {
                // Queued before its count fell: it comes back at its present place.
                if (pair.Count > 0)
                    _queue.Enqueue(pair, new Rank(pair.Count, pair.First, pair.Second));
                continue;
            }

            if (pair.Count < minFrequency)
                break;
            byte[] joined = [.. _tokens[pair.First], .. _tokens[pair.Second]];
            if (!mayMerge(joined))
                continue;
            // Two pairs may join to the same bytes: they share the token. A pair that comes up again keeps its first rank.
            int id = _ids.TryGetValue(new BpeToken(joined), out int known) ? known : Add(joined);
            if (!pair.Merged)
                _merges.Add((pair.First, pair.Second));
            pair.Merged = true;
            Join(pair, id);
            if (_merges.Count % 64 == 0)
                progress?.Report(new BpeTrainingProgress("merge", _tokens.Count - start, size - start));
        }

        progress?.Report(new BpeTrainingProgress("merge", _tokens.Count - start, size - start));
    }

    /// <summary>Tokens in all words as they are merged now, each word as often as it was counted.</summary>
    public long CountTokens()
    {
        long count = 0;
        for (int p = 1; p < _symbols.Length; p++)
        {
            if (_symbols[p] >= 0)
                count += _counts[_wordAt[p]];
        }

        return count;
    }

    /// <summary>Most frequent first; ties go to the lexicographically greater pair of byte strings.</summary>
    public int Compare(Rank x, Rank y)
    {
        int order = y.Count.CompareTo(x.Count);
        if (order == 0)
            order = _tokens[y.First].AsSpan().SequenceCompareTo(_tokens[x.First]);
        return order != 0 ? order : _tokens[y.Second].AsSpan().SequenceCompareTo(_tokens[x.Second]);
    }

    private int Add(byte[] token)
    {
        _ids.Add(new BpeToken(token), _tokens.Count);
        _tokens.Add(token);
        return _tokens.Count - 1;
    }

    private void Join(Pair pair, int id)
    {
        (int first, int second) = (pair.First, pair.Second);
        int firstLength = _tokens[first].Length, length = _tokens[id].Length;
        List<int> positions = pair.Positions;
        // In a run such as "aaa" the leftmost pair wins, so places are visited from left to right.
        if (!IsSorted(positions))
            positions.Sort();
        foreach (int p in positions)
        {
            int q = p + firstLength;
            if (_symbols[p] != first || _symbols[q] != second)
                continue;
            int before = Previous(p), after = p + length;
            long count = _counts[_wordAt[p]];
            if (before >= 0)
                _pairs[(_symbols[before], first)].Count -= count;
            if (_symbols[after] != Border)
                _pairs[(second, _symbols[after])].Count -= count;

            _symbols[q] = Inside;
            _symbols[after - 1] = -length;
            _symbols[p] = id;
            if (before >= 0)
                Grow(_symbols[before], id, before);
            if (_symbols[after] != Border)
                Grow(id, _symbols[after], p);
        }

        pair.Count = 0;
        pair.Positions = [];
        QueueGrown();
    }

    private int Previous(int position)
    {
        int last = _symbols[position - 1];
        return last == Border ? -1 : last >= 0 ? position - 1 : position + last;
    }

    private void Grow(int first, int second, int position)
    {
        ref Pair? pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (first, second), out _);
        pair ??= new Pair(first, second);
        pair.Count += _counts[_wordAt[position]];
        pair.Positions.Add(position);
        if (pair.Grown)
            return;
        pair.Grown = true;
        _grown.Add(pair);
    }

    private void QueueGrown()
    {
        foreach (Pair pair in _grown)
        {
            pair.Grown = false;
            if (pair.Count > 0)
                _queue.Enqueue(pair, new Rank(pair.Count, pair.First, pair.Second));
        }

        _grown.Clear();
    }

    private static bool IsSorted(List<int> positions)
    {
        for (int i = 1; i < positions.Count; i++)
        {
            if (positions[i] < positions[i - 1])
                return false;
        }

        return true;
    }

    /// <summary>Two adjacent tokens, how often they are seen, and where (places they have left since included).</summary>
    private sealed class Pair(int first, int second)
    {
        public int First { get; } = first;

        public int Second { get; } = second;

        public long Count { get; set; }

        public List<int> Positions { get; set; } = [];

        public bool Grown { get; set; }

        public bool Merged { get; set; }
    }

    /// <summary>A pair's place in the queue when it was put there.</summary>
    internal readonly record struct Rank(long Count, int First, int Second);

    /// <summary>A token's bytes, compared by content.</summary>
    private readonly struct BpeToken(byte[] bytes) : IEquatable<BpeToken>
    {
        private readonly byte[] _bytes = bytes;

        public bool Equals(BpeToken other) => _bytes.AsSpan().SequenceEqual(other._bytes);

        public override bool Equals(object? obj) => obj is BpeToken other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            hash.AddBytes(_bytes);
            return hash.ToHashCode();
        }
    }
}
