using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>Measurements on the held-out documents, in bits per byte.</summary>
public sealed record RecipeValidation
{
    /// <summary>Steps from one to the next; 0 for one at the end only.</summary>
    [Range(0, 1e12)]
    public long Every { get; init; } = 100;

    /// <summary>Tokens to measure on, or all that are held out where these are fewer; 0 for no measurement.</summary>
    [Range(0, 1e15)]
    public long Tokens { get; init; } = 100_000;
}
