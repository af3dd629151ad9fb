using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class VisibilityTests
{
    private static readonly bool[] s_anchors = [false, false, false, true, false, false, true, false];

    [Fact]
    public void TheExampleOfThePaperIsItsMask()
    {
        Assert.Equal(
            ["10000000", "11000000", "11100000", "11110000", "00011000", "00011100", "00001110", "00010011"],
            Rows(new VisibilityRule { Segments = true }, s_anchors));
    }

    [Theory]
    [InlineData(true, 0, 0, "00011110", "00010011")]
    [InlineData(false, 1, 0, "10001110", "10010011")]
    [InlineData(false, 0, 3, "00001110", "00010111")]
    public void OptionsShowMoreToAnchorsAndToOthers(bool anchors, int sinks, int last, string anchorRow, string lastRow)
    {
        string[] rows = [.. Rows(new VisibilityRule { Segments = true, AnchorsSeeAnchors = anchors, Sinks = sinks, LastVisible = last }, s_anchors)];
        Assert.Equal(anchorRow, rows[6]);
        Assert.Equal(lastRow, rows[7]);
    }

    // Anchors 1 and 3 close segments of a group, 3 the group: what follows sees 3 alone, then the next group's 5 besides.
    [Fact]
    public void AnAnchorOfAGroupStaysInItsPlace() => Assert.Equal(
        ["10000000", "11000000", "01100000", "01110000", "00011000", "00001100", "00010110", "00010111"],
        Rows(new VisibilityRule { Segments = true, SegmentsPerGroup = 2 }, [false, true, false, true, false, true, false, false]));

    [Fact]
    public void IntervalsHoldExactlyWhatTheDefinitionSeesOnRandomRules()
    {
        Gen.Select(Gen.Int[1, 90], Gen.Int[0, 1 << 20]).Sample((time, seed) =>
        {
            RandomRule random = new(seed, time);
            Visibility visibility = new(time + random.Slack);
            visibility.Set(random.Rule, time, random.Documents, random.Anchors);
            VisibleIntervals intervals = visibility.Intervals;
            for (int i = 0; i < time; i++)
            {
                int[] seen = [
                    .. Enumerable.Range(0, time).Where(j => j >= intervals.NearStart[i] && j <= i),
                    .. visibility.FarPositions[intervals.FarStart[i]..intervals.FarEnd[i]]];
                // No position twice, or it would weigh double.
                Assert.Equal([.. Enumerable.Range(0, time).Where(j => random.Sees(i, j))], seen.Order());
                Assert.True(i == 0 || intervals.NearStart[i] >= intervals.NearStart[i - 1]);
                for (int j = 0; j < time; j++)
                    Assert.Equal(random.Sees(i, j), visibility.Sees(i, j));
            }

            for (int first = 0; first < time; first += 7)
            {
                int end = Math.Min(time, first + 7);
                (int start, int stop) = intervals.FarOf(first, end);
                for (int i = first; i < end; i++)
                    Assert.True(intervals.FarStart[i] >= intervals.FarEnd[i] || (start <= intervals.FarStart[i] && stop >= intervals.FarEnd[i]));
            }
        }, iter: 400);
    }

    [Fact]
    public void SettingARowAgainAllocatesNothing()
    {
        Visibility visibility = new(64);
        int[] documents = new int[64];
        bool[] anchors = new bool[64];
        VisibilityRule rule = new() { Segments = true };
        visibility.Set(rule, 64, documents, anchors);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            visibility.Set(rule, 64, documents, anchors);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ContradictionsAreErrors()
    {
        Visibility visibility = new(8);
        Assert.Throws<ArgumentException>(() => visibility.Set(new VisibilityRule { Segments = true, Window = 3 }, 8, anchors: s_anchors));
        Assert.Throws<ArgumentException>(() => visibility.Set(new VisibilityRule { LastVisible = 3 }, 8));
        Assert.Throws<ArgumentException>(() => visibility.Set(new VisibilityRule { Segments = true, SegmentsPerGroup = 1 }, 8, anchors: s_anchors));
        Assert.Throws<ArgumentException>(() => visibility.Set(new VisibilityRule { Window = -1 }, 8));
        Assert.Throws<ArgumentException>(() => visibility.Set(new VisibilityRule { Segments = true }, 8));
        Assert.Throws<ArgumentException>(() => visibility.Set(VisibilityRule.Causal, 8, anchors: s_anchors));
        Assert.Throws<ArgumentException>(() => visibility.Set(VisibilityRule.Causal, 8, documents: [1, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => visibility.Set(VisibilityRule.Causal, 9));
    }

    private static IEnumerable<string> Rows(VisibilityRule rule, bool[] anchors)
    {
        Visibility visibility = new(anchors.Length);
        visibility.Set(rule, anchors.Length, anchors: anchors);
        return Enumerable.Range(0, anchors.Length).Select(i => string.Concat(Enumerable.Range(0, anchors.Length).Select(j => visibility.Sees(i, j) ? '1' : '0')));
    }
}

/// <summary>A rule of any kind on a row, and its definition in one expression.</summary>
internal sealed class RandomRule
{
    private readonly int[] _segment;

    public RandomRule(int seed, int time)
    {
        Random random = new(seed);
        bool segments = random.Next(2) == 0;
        Slack = random.Next(3);
        Rule = new VisibilityRule
        {
            Segments = segments,
            Window = segments || random.Next(2) == 0 ? 0 : 1 + random.Next(time + 3),
            Sinks = random.Next(2) == 0 ? 0 : random.Next(6),
            AnchorsSeeAnchors = segments && random.Next(2) == 0,
            LastVisible = segments && random.Next(2) == 0 ? random.Next(40) : 0,
            SegmentsPerGroup = segments && random.Next(2) == 0 ? random.Next(2, 5) : 0,
        };
        Documents = random.Next(2) == 0 ? [] : new int[time];
        Anchors = segments ? new bool[time] : [];
        _segment = new int[time];
        double share = random.NextDouble() * 0.4;
        for (int i = 0, document = 0, count = 0; i < time; i++)
        {
            if (Documents.Length > 0)
                Documents[i] = document += random.Next(12) == 0 ? 1 : 0;
            _segment[i] = count;
            if (segments && (Anchors[i] = random.NextDouble() < share))
                count++;
        }
    }

    public VisibilityRule Rule { get; }

    public int[] Documents { get; }

    public bool[] Anchors { get; }

    public int Slack { get; }

    public Visibility Described()
    {
        Visibility visibility = new(_segment.Length + Slack);
        visibility.Set(Rule, _segment.Length, Documents, Anchors);
        return visibility;
    }

    public bool Sees(int i, int j)
    {
        if (j > i || (Documents.Length > 0 && Documents[i] != Documents[j]))
            return false;
        int document = Documents.Length > 0 ? Array.IndexOf(Documents, Documents[j]) : 0;
        if (j - document < Rule.Sinks)
            return true;
        bool near = Rule.Segments && (_segment[i] == _segment[j] || i - j < Rule.LastVisible);
        // Segments of the document before, by which its groups are counted.
        int before = _segment[i] - _segment[document], of = _segment[j] - _segment[document], group = Rule.SegmentsPerGroup;
        bool takesIn = group > 0 && Anchors[i] && (before + 1) % group == 0;
        return Rule.Segments
            ? near || (Anchors[j] && (!Anchors[i] || Rule.AnchorsSeeAnchors || takesIn) && (group == 0 || (of + 1) % group == 0 || of / group == before / group))
            : Rule.Window == 0 || i - j < Rule.Window;
    }
}
