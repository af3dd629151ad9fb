using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>How text becomes token shards.</summary>
public sealed record TokenShardOptions
{
    /// <summary>The largest <see cref="ShardTokens"/>: a shard is addressed with 32-bit offsets.</summary>
    public const int MostShardTokens = 1 << 25;

    /// <summary>A shard ends with the document that brings it to this many tokens.</summary>
    public int ShardTokens { get; init; } = 1 << 24;

    /// <summary>Whether every document begins with the tokenizer's BOS.</summary>
    public bool BeginWithBos { get; init; }

    /// <summary>Whether every document ends with the tokenizer's EOS, from which a model learns to stop.</summary>
    public bool EndWithEos { get; init; } = true;

    /// <summary>Threads that tokenise. The shards are the same, byte for byte, for any number.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    internal void Check(Tokenizer tokenizer)
    {
        if (ShardTokens is < 1 or > MostShardTokens)
            throw new InvalidInputException("shard tokens", ShardTokens.ToString(), $"must be 1 to {MostShardTokens}");
        if (Threads < 1)
            throw new InvalidInputException("threads", Threads.ToString(), "must be at least 1");
        if (BeginWithBos && tokenizer.BosId is null)
            throw new InvalidInputException("tokenizer", "bos_token", "there is none for documents to begin with");
        if (EndWithEos && tokenizer.EosId is null)
            throw new InvalidInputException("tokenizer", "eos_token", "there is none for documents to end with");
    }
}
