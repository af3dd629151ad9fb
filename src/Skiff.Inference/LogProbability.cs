using System.Numerics.Tensors;

namespace Skiff.Inference;

/// <summary>Natural-log probabilities from logits.</summary>
public static class LogProbability
{
    private const int Chunk = 1024;

    /// <summary>The likeliest tokens, most probable first, of equal ones the lower id.</summary>
    /// <param name="logits">[V], one position.</param>
    /// <param name="count">How many; fewer where V is less.</param>
    public static TokenProbability[] Likeliest(ReadOnlySpan<float> logits, int count)
    {
        float[] values = logits.ToArray();
        int[] ids = [.. Enumerable.Range(0, values.Length)];
        count = Math.Min(count, ids.Length);
        Ranking.Select(ids, values, count);
        double total = LogTotal(logits);
        return [.. ids.Take(count).OrderByDescending(id => values[id]).ThenBy(id => id).Select(id => new TokenProbability(id, values[id] - total))];
    }

    /// <summary>log softmax(logits)[id]; the exponentials are float32, their sum float64.</summary>
    /// <param name="logits">[V], one position.</param>
    /// <param name="id">The token asked about.</param>
    /// <exception cref="Tensors.InvalidInputException">The logits hold no finite maximum: the model is broken.</exception>
    public static double Of(ReadOnlySpan<float> logits, int id) => logits[id] - LogTotal(logits);

    // log of the sum of e^logit.
    private static double LogTotal(ReadOnlySpan<float> logits)
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

        return largest + Math.Log(sum);
    }
}
