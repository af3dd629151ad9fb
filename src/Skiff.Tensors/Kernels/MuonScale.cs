namespace Skiff.Tensors;

/// <summary>The factor between a learning rate and a step of <see cref="MuonStep"/> along an orthogonal matrix.</summary>
public enum MuonScale
{
    /// <summary>sqrt(max(1, rows / columns)), as Muon was published, with rates around 0.02.</summary>
    Original,

    /// <summary>0.2 sqrt(max(rows, columns)): steps as large as AdamW's, so that its rates and decay serve (Liu et al., arXiv 2502.16982, section 2.2).</summary>
    MatchRmsAdamW,
}
