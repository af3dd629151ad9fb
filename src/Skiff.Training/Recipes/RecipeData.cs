using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>A corpus of a recipe.</summary>
public sealed record RecipeData
{
    /// <summary>What mixtures call it; by default the file name of the first of <see cref="Files"/>.</summary>
    public string Name
    {
        get => field ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Files[0]));
        init;
    }

    /// <summary>Files, folders and patterns with <c>*</c>, <c>?</c> and <c>**</c>, read in this order.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Its share of the sequences; shares need not add up to 1. Null: by its tokens, which all corpora must agree on.</summary>
    [Range(0, 1e15, MaximumIsExclusive = true)]
    public double? Weight { get; init; }

    /// <summary>What its documents are.</summary>
    public DocumentFormat Format { get; init; } = DocumentFormat.Text;
}
