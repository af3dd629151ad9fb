using Skiff.Compression;

namespace Skiff.Evaluation;

/// <summary>How a student of the compression experiment comes to be.</summary>
/// <param name="Name">Its short name.</param>
/// <param name="What">The page's words for it.</param>
/// <param name="Shape">Its size.</param>
/// <param name="Start">Where its weights begin.</param>
/// <param name="Distill">The recipe's <c>distill</c> section without the teacher, or null for the text's own loss.</param>
/// <param name="Budget">Tokens, in shares of the students' usual budget.</param>
internal sealed record CompressionArm(string Name, string What, CompressionShape Shape, StudentStart Start, string? Distill, double Budget = 1)
{
    private const string Kl = "loss: forward_kl";

    /// <summary>All of them; those that another begins with come before it.</summary>
    public static IReadOnlyList<CompressionArm> All { get; } =
    [
        new("width-kl", "width 50%, pruned, KL", CompressionShape.Width50, StudentStart.Pruned, Kl),
        new("width-ce", "width 50%, pruned, cross-entropy", CompressionShape.Width50, StudentStart.Pruned, null),
        // A step of KL costs the teacher's forward pass besides: (2 teachers + 6 students) / 6 students.
        new("width-ce-compute", "the same, for the compute of KL", CompressionShape.Width50, StudentStart.Pruned, null, 1.67),
        new("width-random-kl", "width 50%, pruned at random, KL", CompressionShape.Width50, StudentStart.Arbitrary, Kl),
        new("width-scratch-1", "width 50%, from scratch", CompressionShape.Width50, StudentStart.Scratch, null),
        new("width-scratch-4", "width 50%, from scratch, 4 times the tokens", CompressionShape.Width50, StudentStart.Scratch, null, 4),
        new("width-scratch-16", "width 50%, from scratch, 16 times the tokens", CompressionShape.Width50, StudentStart.Scratch, null, 16),
        new("depth-kl", "depth 50%, pruned, KL", CompressionShape.Depth50, StudentStart.Pruned, Kl),
        new("depth-ce", "depth 50%, pruned, cross-entropy", CompressionShape.Depth50, StudentStart.Pruned, null),
        new("depth-scratch-1", "depth 50%, from scratch", CompressionShape.Depth50, StudentStart.Scratch, null),
        new("width-reverse", "width 50%, reverse KL", CompressionShape.Width50, StudentStart.Pruned, "loss: reverse_kl"),
        new("width-js", "width 50%, Jensen-Shannon", CompressionShape.Width50, StudentStart.Pruned, "loss: jensen_shannon"),
        new("width-mse", "width 50%, mean square of logits", CompressionShape.Width50, StudentStart.Pruned, "loss: mean_square"),
        new("width-cosine", "width 50%, cosine of logits", CompressionShape.Width50, StudentStart.Pruned, "loss: cosine"),
        new("width-both", "width 50%, half KL, half cross-entropy", CompressionShape.Width50, StudentStart.Pruned, Kl + ", label_weight: 1"),
        new("quarter-kl", "width 25%, pruned, KL", CompressionShape.Width25, StudentStart.Pruned, Kl),
        new("quarter-ce", "width 25%, pruned, cross-entropy", CompressionShape.Width25, StudentStart.Pruned, null),
        new("quarter-via-half", "width 25%, by way of 50%, KL", CompressionShape.Width25, StudentStart.Half, Kl, 0.5),
        new("quarter-scratch-1", "width 25%, from scratch", CompressionShape.Width25, StudentStart.Scratch, null),
    ];
}

/// <summary>Where a student's weights begin.</summary>
internal enum StudentStart
{
    /// <summary>The teacher's most important parts.</summary>
    Pruned,

    /// <summary>Any of the teacher's parts: the first.</summary>
    Arbitrary,

    /// <summary>Random weights.</summary>
    Scratch,

    /// <summary>The most important parts of the student of 50% after half of its budget.</summary>
    Half,
}

/// <summary>A student's size.</summary>
/// <param name="Name">What the page calls it.</param>
/// <param name="Prune">From the teacher.</param>
internal sealed record CompressionShape(string Name, PruneShape Prune)
{
    public static CompressionShape Width50 { get; } = new("width 50%", new PruneShape { Hidden = 96, Intermediate = 192 });

    public static CompressionShape Depth50 { get; } = new("depth 50%", new PruneShape { LayerCount = 4 });

    public static CompressionShape Width25 { get; } = new("width 25%", new PruneShape { Hidden = 64, Intermediate = 128 });
}
