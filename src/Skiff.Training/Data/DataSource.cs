namespace Skiff.Training;

/// <summary>A corpus of a mixture.</summary>
/// <param name="Name">What stages and positions call it.</param>
/// <param name="Shards">Its tokens.</param>
public sealed record DataSource(string Name, TokenShards Shards);
