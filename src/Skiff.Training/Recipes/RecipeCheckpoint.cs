using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>What is saved of a run while it goes on.</summary>
public sealed record RecipeCheckpoint
{
    /// <summary>Steps from one to the next; 0 for one at the end only.</summary>
    [Range(0, 1e12)]
    public long Every { get; init; } = 500;

    /// <summary>How many of the last are kept.</summary>
    [Range(1, 1 << 30)]
    public int Keep { get; init; } = 2;

    /// <summary>The one of the lowest validation loss is kept besides.</summary>
    public bool Best { get; init; } = true;
}
