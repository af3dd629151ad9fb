namespace Skiff.Inference;

/// <summary>Tokens that a pass adds to a sequence.</summary>
/// <param name="Sequence">Where they go; once in a pass.</param>
/// <param name="Tokens">Ids, at least one.</param>
/// <param name="Logits">Which of them are asked what comes next.</param>
public readonly record struct SequenceTokens(InferenceSequence Sequence, ReadOnlyMemory<int> Tokens, WantedLogits Logits = WantedLogits.Last)
{
    /// <summary>Rows of logits that the pass gives for them.</summary>
    public int LogitRows => Logits switch
    {
        WantedLogits.None => 0,
        WantedLogits.Last => 1,
        _ => Tokens.Length,
    };
}

/// <summary>Positions whose logits are wanted.</summary>
public enum WantedLogits
{
    /// <summary>None: a piece of a prompt that is not the last.</summary>
    None,

    /// <summary>The last alone.</summary>
    Last,

    /// <summary>All.</summary>
    All,
}
