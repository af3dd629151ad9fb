namespace Skiff.Inference;

/// <summary>What a scheduler has in hand.</summary>
/// <param name="Running">Requests that have a sequence.</param>
/// <param name="Waiting">Requests that wait for room.</param>
/// <param name="CacheBytes">Bytes that the engine's sequences hold.</param>
/// <param name="SharedTokens">Tokens of prompts, since the start, that were found in sequences of ended requests.</param>
public sealed record SchedulerStatistics(int Running, int Waiting, long CacheBytes, long SharedTokens);
