using System.Diagnostics;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>What a ready prefix saves: time to the answer's first token against reading the prompt again, and against a full cache.</summary>
internal static class AnchorTimes
{
    private const int WarmUps = 5, Question = 16, Decoded = 32;

    /// <summary>Measures interleaved, with anchors at the ends of lines or sentences as the model's rule has them.</summary>
    /// <param name="model">A model with anchors; the same weights run under both caches.</param>
    /// <param name="prefix">Tokens, as many as the longest prefix.</param>
    /// <param name="lengths">Prefixes.</param>
    /// <param name="runs">Runs of each.</param>
    public static JsonObject Measure(Model model, int[] prefix, IReadOnlyList<int> lengths, int runs)
    {
        using InferenceEngine anchored = new(model, new InferenceEngineOptions { MaxRows = 1024 }), full = new(model, new InferenceEngineOptions { MaxRows = 1024, Cache = CacheKind.Full });
        int[] question = [.. Enumerable.Range(0, Question).Select(i => prefix[i])];
        float[] logits = new float[full.VocabularySize];
        JsonObject result = [];
        foreach (int length in lengths)
        {
            // A prefix that is ready ends with its last segment.
            int[] own = [.. prefix[..(length - 1)], model.Config.Anchors!.AddedId ?? model.Config.Anchors.EndIds[0]], whole = [.. own, .. question];
            using InferenceSequence ready = Read(full, own), pressed = Read(anchored, own);
            pressed.Trim();
            Action[] ways =
            [
                () => Read(full, whole, logits).Dispose(),
                () => Ask(full, ready, question, logits),
                () => Ask(anchored, pressed, question, logits),
                () => Read(anchored, own).Dispose(),
                () => Decode(full, ready, logits),
                () => Decode(anchored, pressed, logits),
            ];
            double[][] times = [.. ways.Select(_ => new double[runs])];
            for (int run = -WarmUps; run < runs; run++)
            {
                for (int way = 0; way < ways.Length; way++)
                {
                    long start = Stopwatch.GetTimestamp();
                    ways[way]();
                    if (run >= 0)
                        times[way][run] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                }
            }

            string[] names = ["none", "full", "anchor", "build", "decode_full", "decode_anchor"];
            JsonObject figures = new() { ["entries"] = CacheExplanation.Of(anchored, own).Kept, ["recompute_ratio"] = Ratio(times[0], times[2]), ["full_ratio"] = Ratio(times[1], times[2]) };
            for (int way = 0; way < names.Length; way++)
            {
                Array.Sort(times[way]);
                figures[names[way]] = new JsonArray(times[way][runs / 2], times[way][(int)(0.95 * (runs - 1))]);
            }

            result[$"{length}"] = figures;
        }

        return result;
    }

    // Run by run, as both met the same neighbours; median and the middle half.
    private static JsonArray Ratio(double[] over, double[] under)
    {
        double[] ratios = [.. over.Zip(under, (a, b) => a / b).Order()];
        return new JsonArray(ratios[ratios.Length / 2], ratios[ratios.Length / 4], ratios[ratios.Length * 3 / 4]);
    }

    private static InferenceSequence Read(InferenceEngine engine, int[] tokens, float[]? logits = null)
    {
        InferenceSequence sequence = engine.CreateSequence(tokens.Length);
        engine.Forward([new SequenceTokens(sequence, tokens, logits is null ? WantedLogits.None : WantedLogits.Last)], logits ?? []);
        return sequence;
    }

    private static void Ask(InferenceEngine engine, InferenceSequence ready, int[] question, float[] logits)
    {
        using InferenceSequence own = ready.Fork();
        engine.Forward([new SequenceTokens(own, question)], logits);
    }

    private static void Decode(InferenceEngine engine, InferenceSequence ready, float[] logits)
    {
        using InferenceSequence own = ready.Fork();
        for (int i = 0; i < Decoded; i++)
            engine.Forward([new SequenceTokens(own, new[] { 300 + i })], logits);
    }
}
