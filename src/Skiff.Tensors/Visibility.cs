using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Skiff.Tensors;

/// <summary>
/// A <see cref="VisibilityRule"/> applied to one row of T positions, for kernels: one that goes through the two intervals of its rows (see
/// <see cref="VisibilityWalk"/>) meets no hidden block. Reusable from step to step without allocation.
/// </summary>
public sealed unsafe class Visibility
{
    private readonly NativeBuffer _memory;
    private readonly int _capacity;
    private readonly int* _nearStart, _farStart, _farEnd;
    // As many as positions, unless groups of anchors list theirs again.
    private int[] _far;
    private readonly Dictionary<VisibilityRule, VisibilityWalk> _walks = [];

    /// <summary>Room for rows of up to <paramref name="capacity"/> positions; at first, causal over all of them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than one position.</exception>
    public Visibility(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _capacity = capacity;
        _memory = new NativeBuffer(3L * capacity * sizeof(int), clear: false);
        _nearStart = (int*)_memory.Start;
        _farStart = _nearStart + capacity;
        _farEnd = _farStart + capacity;
        _far = GC.AllocateArray<int>(capacity, pinned: true);
        Set(VisibilityRule.Causal, capacity);
    }

    /// <summary>T.</summary>
    public int Time { get; private set; }

    /// <summary>Positions that may be seen from beyond their near interval, in order: what a cache must keep.</summary>
    public ReadOnlySpan<int> FarPositions => _far.AsSpan(0, FarCount);

    internal int FarCount { get; private set; }

    internal VisibleIntervals Intervals => new() { Time = Time, FarCount = FarCount, NearStart = _nearStart, FarStart = _farStart, FarEnd = _farEnd, Far = (int*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_far)) };

    /// <summary>Describes a row of <paramref name="time"/> positions anew; O(T).</summary>
    /// <param name="rule">What is seen.</param>
    /// <param name="time">T, at most the capacity.</param>
    /// <param name="documents">[T] numbers that change where a document begins, or empty for one document.</param>
    /// <param name="anchors">[T] true for the last position of a segment; empty unless the rule has anchors.</param>
    /// <exception cref="ArgumentException">Lengths do not match, or the rule contradicts itself.</exception>
    public void Set(VisibilityRule rule, int time, ReadOnlySpan<int> documents = default, ReadOnlySpan<bool> anchors = default)
    {
        ArgumentNullException.ThrowIfNull(rule);
        if (time < 1 || time > _capacity)
            throw new ArgumentOutOfRangeException(nameof(time), $"{time} positions where there is room for {_capacity}");
        if (documents.Length != 0 && documents.Length != time)
            throw new ArgumentException($"{documents.Length} document numbers for {time} positions", nameof(documents));
        if (anchors.Length != (rule.HasAnchors ? time : 0))
            throw new ArgumentException($"{anchors.Length} anchor marks for {time} positions of a rule {(rule.HasAnchors ? "with" : "without")} anchors", nameof(anchors));
        if (!_walks.TryGetValue(rule, out VisibilityWalk? walk))
            _walks[rule] = walk = new VisibilityWalk(rule);
        walk.Reset();
        Time = time;
        int count = 0;
        for (int i = 0; i < time; i++)
        {
            walk.Step(rule.HasAnchors && anchors[i], begins: documents.Length > 0 && i > 0 && documents[i] != documents[i - 1]);
            (_nearStart[i], _farStart[i], _farEnd[i]) = (walk.NearStart, walk.FarStart, walk.FarEnd);
            if (walk.FarCount > _far.Length)
                _far = PinnedArray.Grown(_far, walk.FarCount);
            // By index: an enumerator of an interface would be allocated.
            for (int a = 0; a < walk.Added.Count; a++)
                _far[count++] = walk.Added[a];
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
