using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What the rows of a pass see by one rule, as kernels read it.</summary>
internal sealed unsafe class RowSight
{
    private readonly int* _nearStart, _farStart, _farEnd;
    private readonly int[] _addedFrom, _addedAt;
    private readonly bool[] _isUsed;
    // A sequence that closes a segment may add positions of earlier passes, one that closes a group all that stays.
    private int[] _added;
    private int _addedCount;

    /// <summary>Room in memory that somebody else owns.</summary>
    /// <param name="memory">As many numbers as <see cref="Numbers"/>.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="rows">Rows at most.</param>
    public RowSight(int* memory, VisibilityRule rule, int rows)
    {
        _nearStart = memory;
        _farStart = memory + rows;
        _farEnd = memory + 2 * rows;
        _added = GC.AllocateArray<int>(rows * rule.AnchorsPerSegment, pinned: true);
        (_addedFrom, _addedAt, _isUsed) = (new int[rows + 1], new int[rows], new bool[rows]);
    }

    /// <summary>Numbers that so many rows take.</summary>
    public static long Numbers(int rows) => 3L * rows;

    /// <summary>Forgets the last pass.</summary>
    public void Clear() => _addedCount = 0;

    /// <summary>A sequence's rows begin.</summary>
    /// <param name="sequence">Its number in the pass.</param>
    /// <param name="walk">Where it stands; null where all its rows see everything.</param>
    public void Begin(int sequence, VisibilityWalk? walk)
    {
        _isUsed[sequence] = walk is not null;
        (_addedFrom[sequence], _addedFrom[sequence + 1], _addedAt[sequence]) = (_addedCount, _addedCount, walk?.FarCount ?? 0);
    }

    /// <summary>A row, as the walk came to it.</summary>
    public void Add(int sequence, int row, VisibilityWalk walk)
    {
        (_nearStart[row], _farStart[row], _farEnd[row]) = (walk.NearStart, walk.FarStart, walk.FarEnd);
        if (_addedCount + walk.Added.Count > _added.Length)
            _added = PinnedArray.Grown(_added, _addedCount + walk.Added.Count);
        for (int i = 0; i < walk.Added.Count; i++)
            _added[_addedCount++] = i < walk.AddedAgain ? ~(walk.AgainFrom + i) : walk.Added[i];
        _addedFrom[sequence + 1] = _addedCount;
    }

    /// <summary>Rows of a sequence with what they see.</summary>
    /// <param name="rows">Rows, near tiles and positions.</param>
    /// <param name="sequence">Which of the pass.</param>
    /// <param name="firstRow">The first of them among all rows of the pass.</param>
    /// <param name="cache">The sequence's cache of a block.</param>
    /// <param name="farPositions">The positions of the list's entries, or null.</param>
    public CachedRows Place(CachedRows rows, int sequence, int firstRow, KvCache cache, int* farPositions) => !_isUsed[sequence] ? rows : rows with
    {
        Far = cache.Far,
        NearStart = _nearStart + firstRow,
        FarStart = _farStart + firstRow,
        FarEnd = _farEnd + firstRow,
        FarPositions = farPositions,
        Added = (int*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_added)) + _addedFrom[sequence],
        AddedCount = _addedFrom[sequence + 1] - _addedFrom[sequence],
        AddedAt = _addedAt[sequence],
    };
}
