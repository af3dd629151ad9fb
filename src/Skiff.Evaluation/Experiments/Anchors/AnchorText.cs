using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>How well an engine's model foretells held-out texts, in bits for each byte of text; added anchors are no text.</summary>
internal static class AnchorText
{
    /// <summary>Measures on texts, cut to the context.</summary>
    /// <returns>Bits and bytes text by text, and the mean bits of tokens right behind an anchor and of all others.</returns>
    public static JsonObject Measure(InferenceEngine engine, Tokenizer tokenizer, IEnumerable<string> texts, CancellationToken stop)
    {
        Generator generator = new(engine, tokenizer);
        JsonArray bits = [], bytes = [];
        double firstBits = 0, otherBits = 0;
        int first = 0, others = 0;
        foreach (string text in texts)
        {
            stop.ThrowIfCancellationRequested();
            int[] ids = generator.PromptIds(text);
            ids = ids[..Math.Min(ids.Length, AnchorTraining.Context)];
            SegmentMarker? marker = engine.Config.Anchors is { } anchors ? new SegmentMarker(anchors) : null;
            double own = 0;
            int length = 0;
            Walk(engine, ids, (position, logits) =>
            {
                bool closed = marker is not null && marker.Next(ids[position]);
                if (position + 1 == ids.Length || ids[position + 1] == engine.Config.Anchors?.AddedId)
                    return;
                double cost = -LogProbability.Of(logits, ids[position + 1]) / Math.Log(2);
                own += cost;
                length += tokenizer.BytesOf(ids[position + 1]).Length;
                if (closed)
                    (firstBits, first) = (firstBits + cost, first + 1);
                else
                    (otherBits, others) = (otherBits + cost, others + 1);
            });
            bits.Add(Math.Round(own, 3));
            bytes.Add(length);
        }

        return new JsonObject { ["bits"] = bits, ["bytes"] = bytes, ["first"] = firstBits / Math.Max(1, first), ["others"] = otherBits / Math.Max(1, others) };
    }

    /// <summary>Reads ids and shows the logits behind each.</summary>
    public static void Walk(InferenceEngine engine, int[] ids, LogitsVisitor visitor)
    {
        int vocabulary = engine.VocabularySize, piece = Math.Min(engine.MaxRows, 128);
        float[] logits = new float[piece * vocabulary];
        using InferenceSequence sequence = engine.CreateSequence();
        for (int start = 0; start < ids.Length; start += piece)
        {
            int count = Math.Min(piece, ids.Length - start);
            engine.Forward([new SequenceTokens(sequence, ids.AsMemory(start, count), WantedLogits.All)], logits.AsSpan(0, count * vocabulary));
            for (int i = 0; i < count; i++)
                visitor(start + i, logits.AsSpan(i * vocabulary, vocabulary));
        }
    }
}
