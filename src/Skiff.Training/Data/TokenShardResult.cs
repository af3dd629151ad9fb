namespace Skiff.Training;

/// <summary>What a build of token shards found and did.</summary>
/// <param name="Shards">The shards, opened and verified.</param>
/// <param name="Kept">Shards taken over from an earlier run.</param>
/// <param name="Written">Shards written by this run.</param>
/// <param name="Damage">What was wrong with a shard of an earlier run that was made anew, or null.</param>
public sealed record TokenShardResult(TokenShards Shards, int Kept, int Written, string? Damage);
