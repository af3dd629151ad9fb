namespace Skiff.Models;

/// <summary>Puts the added anchor token into texts, behind every end of a segment but the last of the text.</summary>
public static class AnchorInserter
{
    /// <summary>The ids with anchors between; as they are where ends themselves are anchors.</summary>
    /// <param name="config">What ends a segment, and what is put there.</param>
    /// <param name="ids">A text; anchors that it holds already are not doubled.</param>
    /// <param name="endOfText">The token that ends a text: nothing is put before it. Null for none.</param>
    public static int[] Insert(AnchorConfig config, ReadOnlySpan<int> ids, int? endOfText)
    {
        if (config.AddedId is not { } added)
            return ids.ToArray();
        SegmentEnds ends = new(config);
        List<int> result = new(ids.Length + ids.Length / 8);
        for (int i = 0; i < ids.Length; i++)
        {
            result.Add(ids[i]);
            if (!ends.Next(ids[i]) || i + 1 == ids.Length || ids[i + 1] == added || ids[i + 1] == endOfText)
                continue;
            for (int k = 0; k < config.AnchorsPerSegment; k++)
                result.Add(added);
        }

        return [.. result];
    }
}
