using System.Text.Json.Nodes;

namespace Skiff.Models;

/// <summary>Reads and writes <c>anchors</c> of <c>config.json</c>, a key of Skiff's own that any family may have.</summary>
internal static class AnchorKeys
{
    private const string Name = "anchors";

    // More would keep what a segment is pressed to lose; rows of a pass take room for so many each.
    private const int MostAnchors = 64;

    /// <summary>The key's value, or null where the file has none.</summary>
    public static AnchorConfig? Read(ConfigReader reader, int vocabulary)
    {
        if (reader.Object(Name) is not { } r)
            return null;
        AnchorConfig config = new()
        {
            EndIds = Ids(r, "end_ids", vocabulary),
            StopIds = Ids(r, "stop_ids", vocabulary),
            NotAfterIds = Ids(r, "not_after_ids", vocabulary),
            LetterIds = Ids(r, "letter_ids", vocabulary),
            AddedId = r.Has("added_id") ? Id(r, "added_id", r.Number("added_id"), vocabulary) : null,
            AnchorsSeeAnchors = r.Bool("anchors_see_anchors", false),
            AnchorsPerSegment = r.Size("anchors_per_segment", 1),
            SegmentsPerGroup = r.SizeOrNone("segments_per_group"),
            MaxSegment = r.SizeOrNone("max_segment"),
            Sinks = r.SizeOrNone("sinks"),
            LastVisible = r.SizeOrNone("last_visible"),
            LastAnchors = r.SizeOrNone("last_anchors"),
        };
        r.RefuseUnreadKeys();
        if (config.EndIds.Count + config.StopIds.Count == 0 && config.AddedId is null && config.MaxSegment == 0)
            throw r.Refuse("end_ids", "is empty, and there is no stop_ids, added_id or max_segment: no segment would ever close");
        if (config.AnchorsPerSegment > MostAnchors)
            throw r.Refuse("anchors_per_segment", $"{config.AnchorsPerSegment} is above {MostAnchors}");
        if (config.MaxSegment > 0 && config.MaxSegment < config.AnchorsPerSegment)
            throw r.Refuse("max_segment", $"{config.MaxSegment} is below anchors_per_segment {config.AnchorsPerSegment}");
        if (config.SegmentsPerGroup == 1)
            throw r.Refuse("segments_per_group", "a group has two segments or more");
        if (config.SegmentsPerGroup > 0 && config.LastAnchors > 0)
            throw r.Refuse("last_anchors", "and segments_per_group exclude each other");
        return config.Sinks == 0 || config.LastAnchors == 0 ? config : throw r.Refuse("last_anchors", "and sinks exclude each other");
    }

    /// <summary>What <see cref="Read"/> reads; what is at its default is left out.</summary>
    public static JsonObject Write(AnchorConfig config)
    {
        JsonObject json = [];
        List("end_ids", config.EndIds);
        List("stop_ids", config.StopIds);
        List("not_after_ids", config.NotAfterIds);
        List("letter_ids", config.LetterIds);
        if (config.AddedId is { } added)
            json["added_id"] = added;
        if (config.AnchorsSeeAnchors)
            json["anchors_see_anchors"] = true;
        json["anchors_per_segment"] = config.AnchorsPerSegment;
        foreach ((string key, int value) in new[] { ("segments_per_group", config.SegmentsPerGroup), ("max_segment", config.MaxSegment), ("sinks", config.Sinks), ("last_visible", config.LastVisible), ("last_anchors", config.LastAnchors) })
        {
            if (value > 0)
                json[key] = value;
        }

        return json;

        void List(string key, IReadOnlyList<int> ids)
        {
            if (ids.Count > 0)
                json[key] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]);
        }
    }

    private static int[] Ids(ConfigReader r, string key, int vocabulary) => [.. (r.Numbers(key) ?? []).Select(value => Id(r, key, value, vocabulary))];

    private static int Id(ConfigReader r, string key, double value, int vocabulary) =>
        value == Math.Floor(value) && value >= 0 && value < vocabulary ? (int)value : throw r.Refuse(key, $"{value} is not one of the {vocabulary} tokens");
}
