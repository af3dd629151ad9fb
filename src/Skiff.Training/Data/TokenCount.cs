namespace Skiff.Training;

/// <summary>What a part of a corpus holds.</summary>
/// <param name="Documents">Documents.</param>
/// <param name="Tokens">Tokens.</param>
/// <param name="TextBytes">UTF-8 bytes of text, for bits per byte.</param>
public readonly record struct TokenCount(long Documents, long Tokens, long TextBytes);
