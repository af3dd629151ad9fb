using System.Globalization;

namespace Skiff.Training;

/// <summary>Where a stage begins.</summary>
/// <param name="Tokens">So many tokens trained on; null where the schedule's decay begins, wherever that is.</param>
public readonly record struct StageStart(long? Tokens)
{
    /// <summary>As a recipe has it.</summary>
    public override string ToString() => Tokens?.ToString(CultureInfo.InvariantCulture) ?? "decay";
}
