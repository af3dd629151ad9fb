namespace Skiff.Inference;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model gave an end token.</summary>
    Stop,

    /// <summary>The wanted number of tokens, or the end of the context, was reached.</summary>
    Length,

    /// <summary>A stop string appeared.</summary>
    StopString,
}
