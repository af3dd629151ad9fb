using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>How a benchmark drives what runs a model: one sequence, or several that generate together, on one team of threads.</summary>
public sealed record BenchmarkDriver
{
    /// <summary>Forgets all sequences and begins so many empty ones, each of which is going to have this many positions.</summary>
    public required Action<int, int> Begin { get; init; }

    /// <summary>Processes tokens after those of the sequence with this number, up to the logits of the last one.</summary>
    public required Action<int, ReadOnlyMemory<int>> Append { get; init; }

    /// <summary>Processes one token after each sequence, all in one pass, up to the logits of each.</summary>
    public required Action<ReadOnlyMemory<int>> Step { get; init; }

    /// <summary>The most probable token after the sequence that was last appended to.</summary>
    public required Func<int> Choose { get; init; }

    /// <summary>Cuts all sequences back to their first positions; null where that is not possible.</summary>
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
        SequenceTokens[] entries = [];
        bool rewinds;
        using (InferenceSequence sequence = engine.CreateSequence())
            rewinds = sequence.KeepsAll;
        return new BenchmarkDriver
        {
            Begin = (count, length) =>
            {
                foreach (SequenceTokens entry in entries)
                    entry.Sequence.Dispose();
                entries = [.. Enumerable.Range(0, count).Select(_ => new SequenceTokens(engine.CreateSequence(length), default))];
                if (logits.LongLength != (long)count * engine.VocabularySize)
                    logits = new float[checked(count * engine.VocabularySize)];
            },
            // A batch goes through in passes of as many rows as the engine takes.
            Append = (number, tokens) =>
            {
                for (int at = 0; at < tokens.Length; at += engine.MaxRows)
                {
                    ReadOnlyMemory<int> piece = tokens.Slice(at, Math.Min(engine.MaxRows, tokens.Length - at));
                    bool last = at + piece.Length == tokens.Length;
                    engine.Forward([entries[number] with { Tokens = piece, Logits = last ? WantedLogits.Last : WantedLogits.None }], last ? logits.AsSpan(0, engine.VocabularySize) : []);
                }
            },
            Step = tokens =>
            {
                for (int number = 0; number < entries.Length; number++)
                    entries[number] = entries[number] with { Tokens = tokens.Slice(number, 1) };
                engine.Forward(entries, logits);
            },
            Choose = () => TensorPrimitives.IndexOfMax<float>(logits.AsSpan(0, engine.VocabularySize)),
            Rewind = rewinds ? position => Array.ForEach(entries, entry => entry.Sequence.Rewind(position)) : null,
            TypeK = engine.CacheType,
            TypeV = engine.CacheType,
            KvBytesPerToken = engine.CacheBytesPerPosition,
        };
    }
}
