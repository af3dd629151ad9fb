namespace Skiff.Evaluation;

/// <summary>A way in which a base model of the experiment is trained on.</summary>
/// <param name="Name">Its short name.</param>
/// <param name="What">The page's words for it.</param>
/// <param name="Recipe">The recipe's <c>anchors</c> section, or null for full attention.</param>
internal sealed record AnchorArm(string Name, string What, string? Recipe)
{
    /// <summary>Continued as it was: what all others are compared with.</summary>
    public const string Full = "full";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<AnchorArm> All { get; } =
    [
        new(Full, "full attention", null),
        new("ep", "end points", "{kind: endpoint}"),
        new("ac-sentence", "added, each sentence", "{kind: added}"),
        new("ac-line", "added, each demonstration", "{kind: added, unit: line}"),
        new("see", "end points, anchors see anchors", "{kind: endpoint, anchors_see_anchors: true}"),
        new("near", "the same, 4 sinks, last 32", "{kind: endpoint, anchors_see_anchors: true, sinks: 4, last_visible: 32}"),
        new("two", "the same, 2 a segment, at most 32", "{kind: endpoint, anchors_see_anchors: true, sinks: 4, last_visible: 32, anchors_per_segment: 2, max_segment: 32}"),
        new("groups", "end points in groups of 4", "{kind: endpoint, segments_per_group: 4}"),
        new("dual", "end points, half the sequences full", "{kind: endpoint, full_share: 0.5}"),
    ];

}

/// <summary>A model of the experiment.</summary>
/// <param name="Name">Its short name.</param>
/// <param name="Shape">Keys of config.json.</param>
/// <param name="BaseSteps">Steps of the base.</param>
/// <param name="ArmSteps">Steps more of each arm.</param>
/// <param name="Seeds">Seeds from 1.</param>
/// <param name="Arms">How it is trained on.</param>
internal sealed record AnchorModelSize(string Name, string Shape, int BaseSteps, int ArmSteps, int Seeds, IReadOnlyList<AnchorArm> Arms)
{
    /// <summary>About 0.8 million parameters without embeddings.</summary>
    public static AnchorModelSize Small { get; } = new(
        "small", "hidden_size: 128, intermediate_size: 384, num_hidden_layers: 4, num_attention_heads: 4", 1563, 600, 3, AnchorArm.All);

    /// <summary>About 5 million.</summary>
    public static AnchorModelSize Medium { get; } = new(
        "medium", "hidden_size: 256, intermediate_size: 704, num_hidden_layers: 6, num_attention_heads: 8", 1172, 400, 1, AnchorArm.All);

    /// <summary>One that shows nothing but that all of it runs.</summary>
    public static AnchorModelSize Smoke { get; } = new(
        "tiny", "hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2", 16, 8, 1, [.. AnchorArm.All.Where(arm => arm.Name is AnchorArm.Full or "ep" or "ac-line" or "near")]);
}
