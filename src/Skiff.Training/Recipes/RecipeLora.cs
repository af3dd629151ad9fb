using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>Low-rank additions (Hu et al. 2021, arXiv:2106.09685): W + (alpha / rank) B A, of which only A and B are trained.</summary>
public sealed record RecipeLora
{
    /// <summary>Rows of A and columns of B.</summary>
    [Range(1, 1 << 16)]
    public int Rank { get; init; } = 8;

    /// <summary>The additions' weight, divided by the rank.</summary>
    [Range(0, 1e6, MinimumIsExclusive = true)]
    public double Alpha { get; init; } = 16;

    /// <summary>Skiff's names of the matrices in each block that get one.</summary>
    public IReadOnlyList<string> Modules { get; init; } = ["query", "value"];
}
