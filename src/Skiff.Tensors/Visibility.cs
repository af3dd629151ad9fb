namespace Skiff.Tensors;

/// <summary>
/// A <see cref="VisibilityRule"/> applied to one row of T positions. Whatever the rule, a position sees two intervals: near
/// positions up to itself, and a stretch of the list of far positions (sinks and anchors) that lie before those. A kernel
/// that goes through the intervals of its rows meets no hidden block. Reusable from step to step without allocation.
/// </summary>
public sealed unsafe class Visibility
{
    // T time, F far positions
    private readonly NativeBuffer _memory;
    private readonly int _capacity;
    private readonly int* _nearStart, _farStart, _farEnd, _far;

    /// <summary>Room for rows of up to <paramref name="capacity"/> positions; at first, causal over all of them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than one position.</exception>
    public Visibility(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _capacity = capacity;
        _memory = new NativeBuffer(4L * capacity * sizeof(int), clear: false);
        _nearStart = (int*)_memory.Start;
        _farStart = _nearStart + capacity;
        _farEnd = _farStart + capacity;
        _far = _farEnd + capacity;
        Set(VisibilityRule.Causal, capacity);
    }

    /// <summary>T.</summary>
    public int Time { get; private set; }

    /// <summary>Positions that may be seen from beyond their near interval, in order: what a cache must keep.</summary>
    public ReadOnlySpan<int> FarPositions => new(_far, FarCount);

    internal int FarCount { get; private set; }

    internal VisibleIntervals Intervals => new() { Time = Time, FarCount = FarCount, NearStart = _nearStart, FarStart = _farStart, FarEnd = _farEnd, Far = _far };

    /// <summary>Describes a row of <paramref name="time"/> positions anew; O(T).</summary>
    /// <param name="rule">What is seen.</param>
    /// <param name="time">T, at most the capacity.</param>
    /// <param name="documents">[T] numbers that change where a document begins, or empty for one document.</param>
    /// <param name="anchors">[T] true for the last position of a segment; empty unless the rule has segments.</param>
    /// <exception cref="ArgumentException">Lengths do not match, or the rule contradicts itself.</exception>
    public void Set(VisibilityRule rule, int time, ReadOnlySpan<int> documents = default, ReadOnlySpan<bool> anchors = default)
    {
        ArgumentNullException.ThrowIfNull(rule);
        rule.Check();
        if (time < 1 || time > _capacity)
            throw new ArgumentOutOfRangeException(nameof(time), $"{time} positions where there is room for {_capacity}");
        if (documents.Length != 0 && documents.Length != time)
            throw new ArgumentException($"{documents.Length} document numbers for {time} positions", nameof(documents));
        if (anchors.Length != (rule.Segments ? time : 0))
            throw new ArgumentException($"{anchors.Length} anchor marks for {time} positions of a rule {(rule.Segments ? "with" : "without")} segments", nameof(anchors));
        Time = time;
        bool keepsFar = rule.Segments || rule.Window > 0;
        int document = 0, segment = 0, count = 0, farOfDocument = 0, sinks = 0, before = 0;
        for (int i = 0; i < time; i++)
        {
            if (documents.Length > 0 && i > 0 && documents[i] != documents[i - 1])
                (document, segment, farOfDocument, sinks, before) = (i, i, count, 0, count);
            bool anchor = rule.Segments && anchors[i], sink = i - document < rule.Sinks;
            long near = rule.Segments ? Math.Min(segment, (long)i - rule.LastVisible + 1) : rule.Window > 0 ? (long)i - rule.Window + 1 : document;
            _nearStart[i] = (int)Math.Max(document, near);
            if (keepsFar && (anchor || sink))
            {
                _far[count++] = i;
                if (sink)
                    sinks++;
            }

            while (before < count && _far[before] < _nearStart[i])
                before++;
            _farStart[i] = farOfDocument;
            // Sinks come first in a document's list, so that what a strict anchor sees is a stretch of it too.
            _farEnd[i] = anchor && !rule.AnchorsSeeAnchors ? Math.Min(before, farOfDocument + sinks) : before;
            if (anchor)
                segment = i + 1;
        }

        FarCount = count;
    }

    /// <summary>Whether position <paramref name="i"/> sees position <paramref name="j"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A position outside the row.</exception>
    public bool Sees(int i, int j)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)i, (uint)Time);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)j, (uint)Time);
        bool result = j >= _nearStart[i] && j <= i;
        for (int f = _farStart[i]; f < _farEnd[i] && !result; f++)
            result = _far[f] == j;
        return result;
    }
}

/// <summary>The arrays of a <see cref="Visibility"/>, for kernels.</summary>
internal unsafe struct VisibleIntervals
{
    public int Time, FarCount;
    public int* NearStart, FarStart, FarEnd, Far;

    /// <summary>The stretch of far positions that any of some rows sees; both 0 when none does.</summary>
    public readonly (int Start, int End) FarOf(int firstRow, int endRow)
    {
        (int start, int end) = (int.MaxValue, 0);
        for (int i = firstRow; i < endRow; i++)
        {
            if (FarStart[i] < FarEnd[i])
                (start, end) = (Math.Min(start, FarStart[i]), Math.Max(end, FarEnd[i]));
        }

        return end == 0 ? (0, 0) : (start, end);
    }
}
