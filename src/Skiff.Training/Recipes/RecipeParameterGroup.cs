using System.ComponentModel.DataAnnotations;
using System.IO.Enumeration;

namespace Skiff.Training;

/// <summary>Parameters that the optimizer treats in a way of their own.</summary>
public sealed record RecipeParameterGroup
{
    /// <summary>Skiff's names of the parameters, with <c>*</c> and <c>?</c>: <c>embedding.*</c>, <c>layers.*.query.weight</c>.</summary>
    public required string Match { get; init; }

    /// <summary>Factor on the learning rate; 0 leaves the parameters as they are.</summary>
    [Range(0, 1e6)]
    public double LearningRateScale { get; init; } = 1;

    /// <summary>Their weight decay; null for what they would have without the group.</summary>
    [Range(0, 1000)]
    public double? WeightDecay { get; init; }

    /// <summary>The group holds the parameter of this name.</summary>
    public bool Holds(string parameter) => FileSystemName.MatchesSimpleExpression(Match, parameter, ignoreCase: false);
}
