using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>What a run needs, known before anything is taken. Bytes.</summary>
/// <param name="Parameters">Values of all parameters.</param>
/// <param name="Gradients">Their gradients.</param>
/// <param name="Optimizer">Moments and scratch memory.</param>
/// <param name="Activations">The largest stage's activations, their gradients and scratch memory.</param>
public sealed record MemoryNeed(long Parameters, long Gradients, long Optimizer, long Activations)
{
    /// <summary>All together.</summary>
    public long Total => Parameters + Gradients + Optimizer + Activations;

    /// <summary>Refuses a run that this machine cannot hold.</summary>
    /// <exception cref="InvalidInputException">There is less memory.</exception>
    internal void Check(string source)
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Total > available)
            throw new InvalidInputException(source, "memory", $"the run needs {Total / 1e9:0.0} GB and the machine has {available / 1e9:0.0} GB: lower micro_batch_size or context_length, or set recompute: true");
    }
}
