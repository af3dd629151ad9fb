using System.Diagnostics;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>How fast a size generates on this machine, timed with the model's own number types.</summary>
public static class ShapeSpeed
{
    private const int Rounds = 5, Tokens = 24, Halvings = 5;

    /// <summary>The largest size that generates so many times as fast as the model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ways">What gives way.</param>
    /// <param name="factor">Above 1.</param>
    /// <param name="progress">Told how many sizes are timed, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">No size is as fast; says how fast the smallest is.</exception>
    public static PruneShape Fit(Model model, PruneWays ways, double factor, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        ModelConfig config = model.Config;
        double low = 0.1, high = 1, fastest = 0;
        PruneShape? found = null;
        for (int step = 0; step <= Halvings; step++)
        {
            stop.ThrowIfCancellationRequested();
            // The smallest first: what it does not reach is out of reach.
            double share = step == 0 ? low : (low + high) / 2;
            PruneShape? shape = Of(share);
            double gain = shape is null ? 0 : Ratio(model, PrunedModel.Of(model, shape.Rank(config, null, model.Path)));
            progress?.Invoke(step + 1, Halvings + 1);
            fastest = Math.Max(fastest, gain);
            if (gain >= factor)
                (low, found) = (share, shape);
            else if (step == 0 && shape is not null)
                break;
            else
                (low, high) = shape is null ? (share, high) : (low, share);
        }

        return found ?? throw new InvalidInputException(model.Path, "tokens per second", $"{factor}x is out of reach by {ways.ToString().ToLowerInvariant()}: the smallest size is {fastest:0.00}x as fast here");

        PruneShape? Of(double share)
        {
            try
            {
                return ShapeSearch.Fit(config, model.Path, ways, small => small.NonEmbeddingParameterCount, share * config.NonEmbeddingParameterCount, "parameters");
            }
            catch (InvalidInputException)
            {
                return null;
            }
        }
    }

    /// <summary>Generation speed of one model over another's, the median of rounds that alternate.</summary>
    public static double Ratio(Model before, Model after, int rounds = Rounds)
    {
        using InferenceEngine slow = new(before, new InferenceEngineOptions { MaxRows = 1 }), fast = new(after, new InferenceEngineOptions { MaxRows = 1 });
        double[] ratios = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            double ratio = Time(slow) / Time(fast);
            if (round >= 0)
                ratios[round] = ratio;
        }

        return ratios.Order().ElementAt(rounds / 2);
    }

    private static double Time(InferenceEngine engine)
    {
        using InferenceSequence sequence = engine.CreateSequence(Tokens);
        float[] logits = new float[engine.VocabularySize];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Math.Min(Tokens, engine.MaxPositions); i++)
            engine.Forward([new SequenceTokens(sequence, new[] { i % engine.VocabularySize })], logits);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
