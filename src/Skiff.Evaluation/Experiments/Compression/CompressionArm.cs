namespace Skiff.Evaluation;

/// <summary>How a student of the compression experiment comes to be.</summary>
/// <param name="Name">Its short name.</param>
/// <param name="What">The page's words for it.</param>
/// <param name="Size">What it is pruned to.</param>
/// <param name="Start">Where its weights begin.</param>
/// <param name="Distill">The recipe's <c>distill</c> section without the teacher, or null for the text's own loss.</param>
/// <param name="Budget">Tokens, in shares of the students' usual budget.</param>
internal sealed record CompressionArm(string Name, string What, StudentSize Size, StudentStart Start, string? Distill, double Budget = 1)
{
    private const string Kl = "loss: forward_kl";

    /// <summary>The arm whose best learning rate it takes; its own where none is said.</summary>
    public string? RateOf { get; init; }

    /// <summary>It is trained on real text too.</summary>
    public bool OnText { get; init; }

    /// <summary>And of the larger teacher.</summary>
    public bool OnLarge { get; init; }

    /// <summary>It is trained and measured on texts that its teacher does not know.</summary>
    public bool Shifted { get; init; }

    /// <summary>Its teacher learns these texts meanwhile.</summary>
    public bool TeacherLearns { get; init; }

    /// <summary>Its teacher has first learnt these texts.</summary>
    public bool Corrected { get; init; }

    /// <summary>All of them; those that another begins with come before it.</summary>
    public static IReadOnlyList<CompressionArm> All { get; } =
    [
        new("half-kl", "half (width), pruned, KL", StudentSize.Half, StudentStart.Pruned, Kl) { OnText = true, OnLarge = true },
        new("half-kl-half", "the same, half of the tokens", StudentSize.Half, StudentStart.Pruned, Kl, 0.5) { RateOf = "half-kl", OnText = true },
        new("half-kl-quarter", "the same, a quarter of the tokens", StudentSize.Half, StudentStart.Pruned, Kl, 0.25) { RateOf = "half-kl", OnText = true },
        new("half-kl-4", "the same, 4 times the tokens", StudentSize.Half, StudentStart.Pruned, Kl, 4) { RateOf = "half-kl", OnText = true, OnLarge = true },
        new("half-ce", "half, pruned, cross-entropy", StudentSize.Half, StudentStart.Pruned, null) { OnText = true, OnLarge = true },
        // A step of KL costs the teacher's forward pass besides: (2 teachers + 6 students) / 6 students.
        new("half-ce-compute", "the same, for the compute of KL", StudentSize.Half, StudentStart.Pruned, null, 1.67) { RateOf = "half-ce", OnText = true, OnLarge = true },
        new("half-ce-4", "the same, 4 times the tokens", StudentSize.Half, StudentStart.Pruned, null, 4) { RateOf = "half-ce" },
        new("half-random-kl", "half, pruned at random, KL", StudentSize.Half, StudentStart.Random, Kl) { OnText = true },
        new("half-scratch-1", "half, from scratch", StudentSize.Half, StudentStart.Scratch, null) { OnText = true, OnLarge = true },
        new("half-scratch-4", "half, from scratch, 4 times the tokens", StudentSize.Half, StudentStart.Scratch, null, 4) { OnText = true, OnLarge = true },
        new("half-scratch-8", "half, from scratch, 8 times the tokens", StudentSize.Half, StudentStart.Scratch, null, 8) { RateOf = "half-scratch-4", OnText = true },
        new("half-scratch-16", "half, from scratch, 16 times the tokens", StudentSize.Half, StudentStart.Scratch, null, 16) { RateOf = "half-scratch-4", OnText = true, OnLarge = true },
        new("half-scratch-32", "half, from scratch, 32 times the tokens", StudentSize.Half, StudentStart.Scratch, null, 32) { RateOf = "half-scratch-4" },
        new("half-scratch-kl", "half, from scratch, KL", StudentSize.Half, StudentStart.Scratch, Kl),
        new("depth-kl", "half (depth), pruned, KL", StudentSize.Shallow, StudentStart.Pruned, Kl) { OnText = true, OnLarge = true },
        new("depth-kl-4", "the same, 4 times the tokens", StudentSize.Shallow, StudentStart.Pruned, Kl, 4) { RateOf = "depth-kl", OnText = true, OnLarge = true },
        new("depth-ce", "half (depth), pruned, cross-entropy", StudentSize.Shallow, StudentStart.Pruned, null),
        new("depth-scratch-1", "half (depth), from scratch", StudentSize.Shallow, StudentStart.Scratch, null),
        new("half-reverse", "half, reverse KL", StudentSize.Half, StudentStart.Pruned, "loss: reverse_kl"),
        new("half-js", "half, Jensen-Shannon", StudentSize.Half, StudentStart.Pruned, "loss: jensen_shannon"),
        new("half-mse", "half, mean square of logits", StudentSize.Half, StudentStart.Pruned, "loss: mean_square"),
        new("half-cosine", "half, cosine of logits", StudentSize.Half, StudentStart.Pruned, "loss: cosine"),
        new("half-both", "half, half KL, half cross-entropy", StudentSize.Half, StudentStart.Pruned, Kl + ", label_weight: 1"),
        new("half-cool", "half, KL at temperature 0.5", StudentSize.Half, StudentStart.Pruned, Kl + ", temperature: 0.5") { RateOf = "half-kl" },
        new("half-warm", "half, KL at temperature 2", StudentSize.Half, StudentStart.Pruned, Kl + ", temperature: 2") { RateOf = "half-kl" },
        new("half-top-8", "half, KL of the 8 likeliest", StudentSize.Half, StudentStart.Pruned, Kl + ", top_k: 8") { RateOf = "half-kl" },
        new("half-top-64", "half, KL of the 64 likeliest", StudentSize.Half, StudentStart.Pruned, Kl + ", top_k: 64") { RateOf = "half-kl" },
        new("half-states", "half, KL, states of block 5 and the embedding", StudentSize.Half, StudentStart.Pruned, Kl + ", states: [embedding, '5:5']"),
        // The paper's best pair is two before the last, its next worse the last (table 6).
        new("depth-states", "half (depth), KL, states of the teacher's block 5 and the embedding", StudentSize.Shallow, StudentStart.Pruned, Kl + ", states: [embedding, '5:1']"),
        new("depth-states-last", "half (depth), KL, states of the last block and the embedding", StudentSize.Shallow, StudentStart.Pruned, Kl + ", states: [embedding, '7:3']"),
        new("quarter-kl", "a quarter, pruned, KL", StudentSize.Quarter, StudentStart.Pruned, Kl) { OnText = true, OnLarge = true },
        new("quarter-kl-2", "the same, twice the tokens", StudentSize.Quarter, StudentStart.Pruned, Kl, 2) { RateOf = "quarter-kl" },
        new("quarter-via-half", "a quarter by way of the half, as many tokens for each", StudentSize.Quarter, StudentStart.Half, Kl) { RateOf = "quarter-kl" },
        new("quarter-ce", "a quarter, pruned, cross-entropy", StudentSize.Quarter, StudentStart.Pruned, null),
        new("quarter-ce-compute", "the same, for the compute of KL", StudentSize.Quarter, StudentStart.Pruned, null, 2.23) { RateOf = "quarter-ce" },
        new("quarter-scratch-1", "a quarter, from scratch", StudentSize.Quarter, StudentStart.Scratch, null) { OnText = true },
        new("quarter-scratch-16", "a quarter, from scratch, 16 times the tokens", StudentSize.Quarter, StudentStart.Scratch, null, 16) { RateOf = "half-scratch-4" },
        new("tenth-kl", "a tenth, pruned, KL", StudentSize.Tenth, StudentStart.Pruned, Kl),
        new("tenth-ce", "a tenth, pruned, cross-entropy", StudentSize.Tenth, StudentStart.Pruned, null),
        new("tenth-ce-compute", "the same, for the compute of KL", StudentSize.Tenth, StudentStart.Pruned, null, 3.97) { RateOf = "tenth-ce" },
        new("shifted-kl", "half, new texts, KL", StudentSize.Half, StudentStart.Pruned, Kl) { Shifted = true },
        new("shifted-ce", "half, new texts, cross-entropy", StudentSize.Half, StudentStart.Pruned, null) { Shifted = true },
        new("shifted-kl-corrected", "half, new texts, cut from the corrected teacher, KL", StudentSize.Half, StudentStart.Pruned, Kl) { RateOf = "shifted-kl", Shifted = true, Corrected = true },
        new("shifted-kl-parallel", "half, new texts, cut from the teacher as it was, KL to the corrected one", StudentSize.Half, StudentStart.Uncorrected, Kl) { RateOf = "shifted-kl", Shifted = true, Corrected = true },
        new("shifted-kl-along", "half, new texts, KL to a teacher that learns them meanwhile", StudentSize.Half, StudentStart.Pruned, Kl + ", teacher_rate: 0.2") { RateOf = "shifted-kl", Shifted = true, TeacherLearns = true },
    ];
}

/// <summary>What of its teacher a student keeps, without embeddings.</summary>
internal enum StudentSize
{
    /// <summary>Half, by narrower blocks.</summary>
    Half,

    /// <summary>Half of the blocks.</summary>
    Shallow,

    /// <summary>A quarter, by narrower blocks.</summary>
    Quarter,

    /// <summary>A tenth, by narrower blocks.</summary>
    Tenth,
}

/// <summary>Where a student's weights begin.</summary>
internal enum StudentStart
{
    /// <summary>Its teacher's most important parts.</summary>
    Pruned,

    /// <summary>Those of the teacher before it was corrected.</summary>
    Uncorrected,

    /// <summary>Any of the teacher's parts.</summary>
    Random,

    /// <summary>Random weights.</summary>
    Scratch,

    /// <summary>The most important parts of the student of a half.</summary>
    Half,
}
