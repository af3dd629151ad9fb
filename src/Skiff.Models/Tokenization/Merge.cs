namespace Skiff.Models;

/// <summary>Two neighbouring tokens that become one; a lower rank goes first, and equal ranks go from left to right.</summary>
internal readonly record struct Merge(int Left, int Right, int Rank, int Merged);
