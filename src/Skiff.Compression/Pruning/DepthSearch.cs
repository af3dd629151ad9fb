using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Finds the run of blocks that a model misses least by leaving each run out in turn (Minitron, arXiv 2408.11796, section 2.2): a run for each
/// evaluation, where block influence needs one pass for all.
/// </summary>
public static class DepthSearch
{
    /// <summary>The blocks that stay, by the loss of a text, which is read once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">How many are to stay.</param>
    /// <param name="text">Plain text, or a line of JSON a document (<c>.jsonl</c>), either compressed.</param>
    /// <param name="samples">Samples at most, spread over the text.</param>
    /// <param name="length">Tokens of a sample.</param>
    /// <param name="progress">Told how many runs are tried, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">As of the other, or a text that is too short.</exception>
    public static int[] Best(Model model, int count, string text, int samples, int length, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        Memory<int>[] pieces = CalibrationText.Samples(model, text, samples, length);
        return Best(model, count, shorter => TextLoss(shorter, pieces), progress, stop);
    }

    /// <summary>The blocks that stay.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">How many are to stay.</param>
    /// <param name="loss">What is made small: the loss of a text, or one minus a task's score.</param>
    /// <param name="progress">Told how many runs are tried, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">More blocks than there are, none, or a family that cannot say which are left.</exception>
    public static int[] Best(Model model, int count, Func<Model, double> loss, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        int all = model.Config.NumHiddenLayers, gone = all - count;
        if (count < 1 || gone < 1)
            throw new InvalidInputException(model.Path, "layers", $"{count} is out of reach: the model can be pruned to 1 to {all - 1}");
        int[] best = [];
        double least = double.PositiveInfinity;
        for (int first = 0; first <= count; first++)
        {
            stop.ThrowIfCancellationRequested();
            int[] kept = [.. Enumerable.Range(0, all).Where(l => l < first || l >= first + gone)];
            double own = loss(PrunedModel.Of(model, new PrunePlan { Layers = kept }));
            if (own < least || best.Length == 0)
                (least, best) = (own, kept);
            progress?.Invoke(first + 1, count + 1);
        }

        return best;
    }

    /// <summary>The mean loss of samples of tokens, nats.</summary>
    private static double TextLoss(Model model, IReadOnlyList<Memory<int>> samples)
    {
        using InferenceEngine engine = new(model, new InferenceEngineOptions { MaxRows = 128 });
        int vocabulary = engine.VocabularySize;
        float[] logits = new float[engine.MaxRows * vocabulary];
        double sum = 0;
        long count = 0;
        foreach (Memory<int> sample in samples)
        {
            using InferenceSequence sequence = engine.CreateSequence(sample.Length);
            for (int start = 0; start < sample.Length - 1; start += engine.MaxRows)
            {
                int rows = Math.Min(engine.MaxRows, sample.Length - 1 - start);
                engine.Forward([new SequenceTokens(sequence, sample.Slice(start, rows), WantedLogits.All)], logits.AsSpan(0, rows * vocabulary));
                for (int r = 0; r < rows; r++)
                    sum -= LogProbability.Of(logits.AsSpan(r * vocabulary, vocabulary), sample.Span[start + r + 1]);
                count += rows;
            }
        }

        return sum / count;
    }
}
