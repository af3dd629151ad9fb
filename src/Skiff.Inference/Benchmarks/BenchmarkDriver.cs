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

    /// <summary>Drives the plain <see cref="Decoder"/>.</summary>
    /// <exception cref="InvalidInputException">More threads than processors.</exception>
    public static BenchmarkDriver Of(Model model, ThreadTeam team)
    {
        // It has no team: its loops share work among the tasks of a scheduler that is as wide as the team, and no scheduler is wider than the machine.
        if (team.Threads > Environment.ProcessorCount)
            throw new InvalidInputException("bench", "n_threads", $"{team.Threads} are more than this machine's {Environment.ProcessorCount} processors");
        TaskFactory factory = new(new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, team.Threads).ConcurrentScheduler);
        Decoder decoder = new(model);
        ModelConfig config = model.Config;
        float[] logits = new float[config.VocabSize];
        DecoderState state = decoder.CreateState();
        return new BenchmarkDriver
        {
            Begin = length => state = decoder.CreateState(length),
            Append = tokens => factory.StartNew(() => decoder.Forward(state, tokens.Span, logits)).GetAwaiter().GetResult(),
            Choose = () => TensorPrimitives.IndexOfMax<float>(logits),
            Rewind = config.Layers.Any(l => l.Kind == LayerKind.Recurrent) ? null : position => state.Rewind(position),
            TypeK = TensorType.F32,
            TypeV = TensorType.F32,
            KvBytesPerToken = sizeof(float) * config.Layers.Where(l => l.Kind == LayerKind.Attention)
                .Sum(l => (long)(config.Latent is null ? l.KeyValueHeads : l.Heads) * (config.HeadDim + config.ValueHeadDim)),
        };
    }
}
