using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>Answers questions with the choice that a model finds likeliest.</summary>
internal sealed class ChoiceReader(InferenceEngine engine, Tokenizer tokenizer)
{
    /// <summary>Whether that is the right one.</summary>
    public bool IsRight(ChoiceItem item)
    {
        int vocabulary = engine.VocabularySize;
        float[] behind = new float[vocabulary];
        using InferenceSequence prefix = engine.CreateSequence();
        engine.Forward([new SequenceTokens(prefix, tokenizer.Encode(string.Join(' ', item.Context.Append(item.Question)), addSpecial: true))], behind);
        int[][] choices = [.. item.Choices.Select(choice => tokenizer.Encode(choice, addSpecial: false))];
        double[] likely = [.. choices.Select(choice => LogProbability.Of(behind, choice[0]))];
        int[] longer = [.. Enumerable.Range(0, choices.Length).Where(c => choices[c].Length > 1)];
        if (longer.Length > 0)
        {
            InferenceSequence[] forks = [.. longer.Select(_ => prefix.Fork())];
            float[] logits = new float[longer.Sum(c => choices[c].Length - 1) * vocabulary];
            engine.Forward([.. longer.Select((c, i) => new SequenceTokens(forks[i], choices[c].AsMemory(0, choices[c].Length - 1), WantedLogits.All))], logits);
            int row = 0;
            foreach (int c in longer)
            {
                foreach (int id in choices[c][1..])
                    likely[c] += LogProbability.Of(logits.AsSpan(row++ * vocabulary, vocabulary), id);
            }

            foreach (InferenceSequence fork in forks)
                fork.Dispose();
        }

        return Array.IndexOf(likely, likely.Max()) == item.Gold;
    }
}
