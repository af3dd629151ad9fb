using Skiff.Inference;

namespace Skiff.Tests.Inference;

/// <summary>Sequences through an engine, for comparison with each other.</summary>
internal static class EngineRun
{
    /// <summary>Logits of every token, given in chunks.</summary>
    public static float[] Alone(InferenceEngine engine, int[] tokens, int plannedLength, Func<int> chunk)
    {
        using InferenceSequence sequence = engine.CreateSequence(plannedLength);
        List<float> logits = [];
        for (int start = 0; start < tokens.Length;)
        {
            int count = Math.Min(tokens.Length - start, Math.Min(chunk(), engine.MaxRows));
            float[] rows = new float[count * engine.VocabularySize];
            engine.Forward([new SequenceTokens(sequence, tokens.AsMemory(start, count), WantedLogits.All)], rows);
            logits.AddRange(rows);
            start += count;
        }

        Assert.Equal(tokens.Length, sequence.Position);
        return [.. logits];
    }

    /// <summary>Logits of every token of several sequences that join and end at random, some of them in each pass, with random chunks.</summary>
    public static float[][] Together(InferenceEngine engine, int[][] tokens, int[] plannedLengths, Random random)
    {
        InferenceSequence?[] sequences = new InferenceSequence?[tokens.Length];
        int[] done = new int[tokens.Length];
        List<float>[] logits = [.. tokens.Select(_ => new List<float>())];
        while (Enumerable.Range(0, tokens.Length).Any(i => done[i] < tokens[i].Length))
        {
            List<SequenceTokens> batch = [];
            List<int> members = [];
            int room = engine.MaxRows;
            foreach (int i in Enumerable.Range(0, tokens.Length).Where(i => done[i] < tokens[i].Length).OrderBy(_ => random.Next()))
            {
                int count = Math.Min(Math.Min(room, tokens[i].Length - done[i]), random.Next(3) == 0 ? 1 : random.Next(1, 12));
                // A sequence may wait.
                if (count == 0 || random.Next(4) == 0)
                    continue;
                sequences[i] ??= engine.CreateSequence(plannedLengths[i]);
                WantedLogits wanted = count == 1 && random.Next(2) == 0 ? WantedLogits.Last : WantedLogits.All;
                batch.Add(new SequenceTokens(sequences[i]!, tokens[i].AsMemory(done[i], count), wanted));
                members.Add(i);
                room -= count;
            }

            float[] rows = new float[batch.Sum(b => b.LogitRows) * engine.VocabularySize];
            engine.Forward([.. batch], rows);
            int at = 0;
            foreach ((SequenceTokens entry, int i) in batch.Zip(members))
            {
                logits[i].AddRange(rows.AsSpan(at, entry.LogitRows * engine.VocabularySize));
                at += entry.LogitRows * engine.VocabularySize;
                done[i] += entry.Tokens.Length;
                if (done[i] == tokens[i].Length)
                    sequences[i]!.Dispose();
            }
        }

        return [.. logits.Select(l => l.ToArray())];
    }
}
