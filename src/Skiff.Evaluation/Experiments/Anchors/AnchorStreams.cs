using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>Long streams in memory that does not grow: a book read from end to end, and a text generated.</summary>
internal static class AnchorStreams
{
    // What a cache of anchors keeps beside the open segment.
    private const int Anchors = 24, Longest = 40;

    /// <summary>Bits for each byte of a long book under caches of one size.</summary>
    /// <param name="anchored">A model trained with end points as anchors.</param>
    /// <param name="full">The same trained on with full attention.</param>
    /// <param name="book">The text.</param>
    /// <param name="tokens">How much of it.</param>
    /// <param name="stop">Ends the work.</param>
    public static JsonObject Read(Model anchored, Model full, string book, int tokens, CancellationToken stop)
    {
        AnchorConfig rule = anchored.Config.Anchors! with { LastAnchors = Anchors, MaxSegment = Longest, Sinks = 0 };
        int[] ids = full.Tokenizer.Encode(book);
        ids = ids[..Math.Min(ids.Length, tokens)];
        using InferenceEngine engine = new(anchored, new InferenceEngineOptions { Anchors = rule, Context = ids.Length });
        // What the rule shows a position, on average: the window that is compared gets as much.
        int seen = (int)Math.Round(MeanSeen(rule, ids));
        JsonObject result = new() { ["tokens"] = ids.Length, ["seen"] = seen, ["anchor"] = Bits(engine, full.Tokenizer, ids, stop) };
        foreach ((string name, int sinks) in new[] { ("window", 0), ("sinks", 4) })
        {
            using InferenceEngine window = new(full, new InferenceEngineOptions { Cache = CacheKind.Window, Window = seen - sinks, Sinks = sinks, Context = ids.Length });
            result[name] = Bits(window, full.Tokenizer, ids, stop);
        }

        return result;
    }

    /// <summary>Generates tokens and looks what the cache takes on the way.</summary>
    public static JsonObject Generate(Model anchored, int tokens, CancellationToken stop)
    {
        AnchorConfig rule = anchored.Config.Anchors! with { LastAnchors = Anchors, MaxSegment = Longest, Sinks = 0 };
        using InferenceEngine engine = new(anchored, new InferenceEngineOptions { Anchors = rule, Context = tokens + 1 });
        using InferenceSequence sequence = engine.CreateSequence();
        Sampler sampler = new(new SamplingOptions { Temperature = 1, Seed = 1 }, engine.VocabularySize);
        float[] logits = new float[engine.VocabularySize];
        int[] next = [anchored.Tokenizer.Encode("Once", addSpecial: false)[0]];
        JsonObject result = [];
        long most = 0;
        for (int i = 1; i <= tokens; i++)
        {
            stop.ThrowIfCancellationRequested();
            engine.Forward([new SequenceTokens(sequence, next)], logits);
            next[0] = sampler.Sample(logits, []);
            most = Math.Max(most, sequence.ByteLength);
            if (i == tokens / 100 || i == tokens / 10 || i == tokens)
                result[i.ToString(System.Globalization.CultureInfo.InvariantCulture)] = most;
        }

        return result;
    }

    private static double MeanSeen(AnchorConfig rule, int[] ids)
    {
        SegmentMarker marker = new(rule);
        Tensors.VisibilityWalk walk = new(rule.Rule);
        double seen = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            walk.Step(marker.Next(ids[i]));
            seen += i - walk.NearStart + 1 + walk.FarEnd - walk.FarStart;
        }

        return seen / ids.Length;
    }

    private static double Bits(InferenceEngine engine, Tokenizer tokenizer, int[] ids, CancellationToken stop)
    {
        double bits = 0, bytes = 0;
        AnchorText.Walk(engine, ids, (position, logits) =>
        {
            stop.ThrowIfCancellationRequested();
            if (position + 1 == ids.Length)
                return;
            bits -= LogProbability.Of(logits, ids[position + 1]) / Math.Log(2);
            bytes += tokenizer.BytesOf(ids[position + 1]).Length;
        });
        return bits / bytes;
    }
}
