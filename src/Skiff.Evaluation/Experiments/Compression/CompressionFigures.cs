using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>Measures models of the compression experiment on texts that no run has read.</summary>
internal sealed class CompressionFigures(CompressionTier tier, CompressionTraining training, int items)
{
    /// <summary>Loss, KL to a teacher, and the share of items of each probe that are answered right.</summary>
    public JsonObject Measure(ExperimentContext context, string name, string teacher, int seed, bool shifted)
    {
        Model model = Model.Open(training.ModelPath(context, name, seed)), original = Model.Open(training.ModelPath(context, teacher, seed));
        Memory<int>[] samples = tier.Samples(context, model.Tokenizer, seed, shifted, draw: 5000, items / 2);
        ModelDivergence divergence = ModelDivergence.Measure(original, model, samples, context.Stop);
        JsonObject figures = new() { ["loss"] = divergence.Loss, ["bits_per_byte"] = BitsPerByte(divergence.Loss, model.Tokenizer, samples), ["kl"] = divergence.Kl, ["same_top"] = divergence.SameTop };
        using InferenceEngine engine = new(model);
        ChoiceReader reader = new(engine, model.Tokenizer);
        foreach (string probe in tier.Probes)
        {
            int right = 0;
            foreach (ChoiceItem item in tier.Items(context, probe, seed, shifted).Take(items))
            {
                context.Stop.ThrowIfCancellationRequested();
                right += reader.IsRight(item) ? 1 : 0;
            }

            figures[probe] = (double)right / items;
        }

        return figures;
    }

    /// <summary>A mean loss of tokens, nats, in bits for each byte of their text; a sample's first token is given.</summary>
    public static double BitsPerByte(double loss, Tokenizer tokenizer, IReadOnlyList<Memory<int>> samples)
    {
        double bytes = samples.Sum(sample => sample.Span[1..].ToArray().Sum(id => tokenizer.IsSpecial(id) ? 0.0 : tokenizer.BytesOf(id).Length));
        return loss / Math.Log(2) * samples.Sum(sample => sample.Length - 1.0) / bytes;
    }
}
