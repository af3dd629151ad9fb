namespace Skiff.Models;

/// <summary>
/// Applies merges to a run of token ids, lowest rank first and leftmost among equals (Sennrich et al. 2016). Short runs
/// rescan an array; long ones use a heap over a linked list, O(n log n), so that no text can make it hang.
/// Holds scratch memory: one instance a thread.
/// </summary>
internal sealed class BpeMerger
{
    // Below this a scan of one or two cache lines beats the heap.
    private const int ShortRun = 40;

    private readonly PriorityQueue<int, ulong> _queue = new();
    private readonly long[] _short = new long[ShortRun];
    private long[] _pairs = [];
    private int[] _next = [];
    private int[] _previous = [];

    /// <summary>Longest run the scratch memory holds.</summary>
    public int Capacity => _pairs.Length;

    /// <summary>Merges in place and returns how many ids remain at the start of <paramref name="ids"/>.</summary>
    public int Merge(Span<int> ids, MergeTable merges) =>
        ids.Length < 2 ? ids.Length : ids.Length <= ShortRun ? MergeShort(ids, merges) : MergeLong(ids, merges);

    private int MergeShort(Span<int> ids, MergeTable merges)
    {
        // pairs[i] is the merge of ids[i] and ids[i + 1].
        Span<long> pairs = _short;
        int count = ids.Length;
        for (int i = 0; i + 1 < count; i++)
            pairs[i] = merges.Find(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            long bestRank = pairs[0] >> 32;
            for (int i = 1; i + 1 < count; i++)
            {
                long rank = pairs[i] >> 32;
                if (rank < bestRank)
                {
                    bestRank = rank;
                    best = i;
                }
            }

            if (pairs[best] == MergeTable.None)
                break;
            ids[best] = (int)pairs[best];
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            if (best + 2 < count)
                pairs[(best + 2)..(count - 1)].CopyTo(pairs[(best + 1)..]);
            count--;
            if (best > 0)
                pairs[best - 1] = merges.Find(ids[best - 1], ids[best]);
            if (best + 1 < count)
                pairs[best] = merges.Find(ids[best], ids[best + 1]);
        }

        return count;
    }

    private int MergeLong(Span<int> ids, MergeTable merges)
    {
        int count = ids.Length;
        if (_pairs.Length < count)
        {
            _pairs = new long[count];
            _next = new int[count];
            _previous = new int[count];
        }

        Span<long> pairs = _pairs.AsSpan(0, count);
        Span<int> next = _next.AsSpan(0, count);
        Span<int> previous = _previous.AsSpan(0, count);
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            pairs[i] = i + 1 < count ? merges.Find(ids[i], ids[i + 1]) : MergeTable.None;
            if (pairs[i] != MergeTable.None)
                _queue.Enqueue(i, Priority(pairs[i], i));
        }

        while (_queue.TryDequeue(out int at, out ulong priority))
        {
            // An entry is stale once its pair has changed; a merged-away position has no pair.
            if (pairs[at] == MergeTable.None || Priority(pairs[at], at) != priority)
                continue;
            ids[at] = (int)pairs[at];
            int gone = next[at];
            next[at] = next[gone];
            pairs[gone] = MergeTable.None;
            if (next[at] < count)
                previous[next[at]] = at;
            Renew(ids, pairs, merges, at, next[at], count);
            if (previous[at] >= 0)
                Renew(ids, pairs, merges, previous[at], at, count);
        }

        int kept = 0;
        for (int i = 0; i < count; i = next[i])
            ids[kept++] = ids[i];
        return kept;
    }

    // Rank above, position below: the leftmost of equal ranks comes first.
    private static ulong Priority(long pair, int position) => ((ulong)(pair >> 32) << 32) | (uint)position;

    private void Renew(Span<int> ids, Span<long> pairs, MergeTable merges, int left, int right, int count)
    {
        pairs[left] = right < count ? merges.Find(ids[left], ids[right]) : MergeTable.None;
        if (pairs[left] != MergeTable.None)
            _queue.Enqueue(left, Priority(pairs[left], left));
    }
}
