namespace Skiff.Training;

/// <summary>Where a <see cref="DataLoader"/> stands in one source.</summary>
/// <param name="Data">The shards' <see cref="TokenShards.Key"/>.</param>
/// <param name="Weight">The source's weight when its rows were counted.</param>
/// <param name="Rows">Rows taken from it in the stage.</param>
/// <param name="Epoch">Times it was gone through.</param>
/// <param name="Unit">Units of the epoch done; see <see cref="DataLoader"/>.</param>
/// <param name="Offset">Tokens of the next unit already taken.</param>
public sealed record SourcePosition(string Data, double Weight, long Rows, long Epoch, long Unit, int Offset);
