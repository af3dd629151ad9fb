namespace Skiff.Inference;

/// <summary>One generated token.</summary>
/// <param name="Id">Its id; an end token is given too.</param>
/// <param name="Text">The text that can be shown since the last token: empty while a character or stop string may be under way.</param>
/// <param name="LogProbability">Natural log of its probability under the model, where asked for.</param>
/// <param name="Finish">Set on the last token only.</param>
public readonly record struct GeneratedToken(int Id, string Text, double? LogProbability, FinishReason? Finish)
{
    /// <summary>The likeliest tokens in its place, most probable first, where asked for.</summary>
    public IReadOnlyList<TokenProbability>? Likeliest { get; init; }
}
