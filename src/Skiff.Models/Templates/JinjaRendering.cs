namespace Skiff.Models;

/// <summary>A rendered text and the parts of it that came from <c>generation</c> blocks, in order of their start.</summary>
/// <param name="Text">The whole text.</param>
/// <param name="Generations">The spans of <paramref name="Text"/> written by the assistant, in UTF-16 code units.</param>
public sealed record JinjaRendering(string Text, IReadOnlyList<(int Start, int Length)> Generations);
