using System.Numerics.Tensors;

namespace Skiff.Inference;

/// <summary>Natural-log probabilities from logits.</summary>
public static class LogProbability
{
    private const int Chunk = 1024;

    /// <summary>log softmax(logits)[id]; the exponentials are float32, their sum float64.</summary>
    /// <param name="logits">[V], one position.</param>
    /// <param name="id">The token asked about.</param>
    /// <exception cref="Tensors.InvalidInputException">The logits hold no finite maximum: the model is broken.</exception>
    public static double Of(ReadOnlySpan<float> logits, int id)
    {
        float largest = Sampler.Largest(logits);
        Span<float> buffer = stackalloc float[Chunk];
        double sum = 0;
        for (int start = 0; start < logits.Length; start += Chunk)
        {
            ReadOnlySpan<float> part = logits.Slice(start, Math.Min(Chunk, logits.Length - start));
            Span<float> exponentials = buffer[..part.Length];
            TensorPrimitives.Subtract(part, largest, exponentials);
            TensorPrimitives.Exp(exponentials, exponentials);
            foreach (float e in exponentials)
                sum += e;
        }

        return (double)logits[id] - largest - Math.Log(sum);
    }
}
