using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>How a benchmark drives what runs a model: one sequence at a time, on one team of threads.</summary>
public sealed record BenchmarkDriver
{
    /// <summary>Forgets the sequence and begins an empty one, which is going to have this many positions.</summary>
    public required Action<int> Begin { get; init; }

    /// <summary>Processes tokens after those of the sequence, up to the logits of the last one.</summary>
    public required Action<ReadOnlyMemory<int>> Append { get; init; }

    /// <summary>The most probable token after the sequence.</summary>
    public required Func<int> Choose { get; init; }

    /// <summary>Cuts the sequence back to its first positions; null where that is not possible.</summary>
    public required Action<int>? Rewind { get; init; }

    /// <summary>How cached keys are stored.</summary>
    public required TensorType TypeK { get; init; }

    /// <summary>How cached values are stored.</summary>
    public required TensorType TypeV { get; init; }

    /// <summary>Bytes that one position adds to the cache.</summary>
    public required long KvBytesPerToken { get; init; }

    /// <summary>Drives an <see cref="InferenceEngine"/>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="team">Threads.</param>
    /// <param name="cacheType">How keys and values are stored; as exact as the weights when null.</param>
    public static BenchmarkDriver Of(Model model, ThreadTeam team, TensorType? cacheType = null)
    {
        InferenceEngine engine = new(model, new InferenceEngineOptions { Team = team, CacheType = cacheType });
        float[] logits = new float[engine.VocabularySize];
        InferenceSequence sequence = engine.CreateSequence();
        bool rewinds = sequence.KeepsAll;
        return new BenchmarkDriver
        {
            Begin = length =>
            {
                sequence.Dispose();
                sequence = engine.CreateSequence(length);
            },
            // A batch goes through in passes of as many rows as the engine takes.
            Append = tokens =>
            {
                for (int at = 0; at < tokens.Length; at += engine.MaxRows)
                {
                    ReadOnlyMemory<int> piece = tokens.Slice(at, Math.Min(engine.MaxRows, tokens.Length - at));
                    bool last = at + piece.Length == tokens.Length;
                    engine.Forward([new SequenceTokens(sequence, piece, last ? WantedLogits.Last : WantedLogits.None)], last ? logits : []);
                }
            },
            Choose = () => TensorPrimitives.IndexOfMax<float>(logits),
            Rewind = rewinds ? position => sequence.Rewind(position) : null,
            TypeK = engine.CacheType,
            TypeV = engine.CacheType,
            KvBytesPerToken = engine.CacheBytesPerPosition,
        };
    }
}
