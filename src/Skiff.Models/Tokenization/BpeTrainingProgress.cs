namespace Skiff.Models;

/// <summary>How far a training has come.</summary>
/// <param name="Stage">What is going on: <c>count</c>, then <c>merge</c>.</param>
/// <param name="Done">Bytes of the files read (compressed ones as they lie on disk), or merges made.</param>
/// <param name="Total">What <paramref name="Done"/> ends at; fewer merges may be made where the text has no more.</param>
public readonly record struct BpeTrainingProgress(string Stage, long Done, long Total);
