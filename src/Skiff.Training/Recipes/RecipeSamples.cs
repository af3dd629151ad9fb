using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>Texts that the model writes while it is trained.</summary>
public sealed record RecipeSamples
{
    /// <summary>Steps from one time to the next; 0 for the end only.</summary>
    [Range(0, 1e12)]
    public long Every { get; init; } = 500;

    /// <summary>What it goes on from, one text each; none for no samples.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = ["Once upon a time"];

    /// <summary>Tokens it writes at most.</summary>
    [Range(1, 1 << 24)]
    public int MaxTokens { get; init; } = 64;

    /// <summary>The temperature of sampling; 0 for always the likeliest token.</summary>
    [Range(0, 1000)]
    public double Temperature { get; init; } = 0.8;
}
