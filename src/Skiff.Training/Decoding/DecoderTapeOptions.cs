using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>The shape of a batch and how it is run.</summary>
internal sealed record DecoderTapeOptions
{
    /// <summary>B, rows.</summary>
    public required int Batch { get; init; }

    /// <summary>T, tokens in a row.</summary>
    public required int Time { get; init; }

    /// <summary>Documents packed into a row do not see each other, and each begins at position 0.</summary>
    public bool DocumentMask { get; init; } = true;

    /// <summary>Blocks are computed again in the backward pass rather than kept.</summary>
    public bool Recompute { get; init; }

    /// <summary>Coefficient of the experts' balance loss.</summary>
    public double ExpertBalance { get; init; }

    /// <summary>Coefficient of the router's z loss.</summary>
    public double RouterZ { get; init; }

    /// <summary>With a model's anchors: the share of rows that see everything all the same.</summary>
    public double FullShare { get; init; }

    /// <summary>Decides which rows these are.</summary>
    public long Seed { get; init; }

    /// <summary>Adapters, or null.</summary>
    public LoraSettings? Lora { get; init; }

    /// <summary>A student reads what it ends with; it has no loss.</summary>
    public bool IsTeacher { get; init; }

    /// <summary>But it has: this teacher learns the text meanwhile.</summary>
    public bool Learns { get; init; }

    /// <summary>The teacher over batches of the same shape, or null; it is run, and disposed, with this tape.</summary>
    public DecoderTape? Teacher { get; init; }

    /// <summary>Where what the teacher foretells is kept, or null.</summary>
    public TeacherCache? Cache { get; init; }

    /// <summary>How far from the teacher is too far.</summary>
    public DistillationGoal Goal { get; init; } = new(Divergence.ForwardKl, 1, 0);

    /// <summary>Weight of the text's loss beside the teacher's.</summary>
    public float LabelWeight { get; init; }

    /// <summary>Hidden states that are compared, for a teacher those that it keeps.</summary>
    public IReadOnlyList<StatePair> States { get; init; } = [];
}
