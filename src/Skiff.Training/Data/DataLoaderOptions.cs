namespace Skiff.Training;

/// <summary>How a <see cref="DataLoader"/> picks and packs documents.</summary>
public sealed record DataLoaderOptions
{
    /// <summary>Decides the order: the same seed gives the same batches.</summary>
    public long Seed { get; init; }

    /// <summary>Which side of the held-out split is streamed.</summary>
    public DataSplit Split { get; init; } = DataSplit.Training;

    /// <summary>The share of documents held out, 0 to 1.</summary>
    public double HeldOutShare { get; init; } = 0.01;

    /// <summary>
    /// Documents longer than this many tokens are shuffled in pieces of it; 0 stands for the longest context of the stages.
    /// Name it where stages with a longer context may be added to a run later.
    /// </summary>
    public int PieceLength { get; init; }

    /// <summary>Mixtures and context lengths, in order of <see cref="DataStage.From"/>.</summary>
    public IReadOnlyList<DataStage> Stages { get; init; } = [new DataStage()];
}
