namespace Skiff.Training;

/// <summary>How far a build of token shards has come.</summary>
/// <param name="Stage">What is going on: <c>check</c> (hashing the sources), then <c>tokenize</c>.</param>
/// <param name="Bytes">Bytes of the sources dealt with, as they lie on disk.</param>
/// <param name="TotalBytes">What <paramref name="Bytes"/> ends at.</param>
/// <param name="Tokens">Tokens in the shards so far, kept ones included.</param>
/// <param name="TimeLeft">How long the stage will take at the rate of this run, once there is a rate.</param>
public readonly record struct TokenShardProgress(string Stage, long Bytes, long TotalBytes, long Tokens, TimeSpan? TimeLeft);
