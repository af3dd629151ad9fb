using System.Diagnostics;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>What a student's guesses save its teacher: the same greedy text in less time.</summary>
internal static class GuessFigures
{
    // Of a sample so many tokens are the prompt, and so many are generated.
    private const int Prompt = 24, Generated = 100;

    /// <summary>The median of the times without guesses over those with, prompt by prompt in turns, the share of guesses that were right, and how many texts are the same.</summary>
    public static JsonObject Measure(Model teacher, Model student, IReadOnlyList<Memory<int>> samples, CancellationToken stop)
    {
        using InferenceEngine engine = new(teacher), small = new(student);
        Generator generator = new(engine, teacher.Tokenizer);
        using DraftModel drafter = new(small, student.Tokenizer, teacher.Tokenizer);
        Speculation speculation = new(drafter);
        List<double> ratios = [];
        int same = 0;
        // A first pass without notes warms both.
        for (int i = -1; i < samples.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            int[] prompt = samples[Math.Max(0, i)].Span[..Math.Min(Prompt, samples[Math.Max(0, i)].Length)].ToArray();
            (double alone, int[] text) = Run(null);
            (double guessed, int[] other) = Run(speculation);
            if (i < 0)
                continue;
            ratios.Add(alone / guessed);
            same += text.AsSpan().SequenceEqual(other) ? 1 : 0;

            (double, int[]) Run(Speculation? guesses)
            {
                long start = Stopwatch.GetTimestamp();
                int[] ids = [.. generator.Generate(prompt, new Sampler(new SamplingOptions { Temperature = 0 }, engine.VocabularySize), new GenerationOptions { MaxTokens = Generated, EndIds = [] }, guesses, stop).Select(token => token.Id)];
                return (Stopwatch.GetElapsedTime(start).TotalSeconds, ids);
            }
        }

        return new JsonObject { ["speed"] = ratios.Order().ElementAt(ratios.Count / 2), ["right"] = (double)speculation.Accepted / Math.Max(1, speculation.Drafted), ["same"] = same, ["texts"] = samples.Count };
    }
}
