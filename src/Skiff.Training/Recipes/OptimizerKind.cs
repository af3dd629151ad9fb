namespace Skiff.Training;

/// <summary>How gradients become steps.</summary>
public enum OptimizerKind
{
    /// <summary>AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).</summary>
    Adamw,

    /// <summary>Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for the rest.</summary>
    Muon,
}
