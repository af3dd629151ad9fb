using System.Text;
using Skiff.Models;

namespace Skiff.Inference;

/// <summary>
/// Texts that a model writes, many at a time: what a student may learn from where its teacher's own texts are not to be had. Text n follows from the
/// seed and n alone, whatever runs beside it.
/// </summary>
public static class SyntheticTexts
{
    /// <summary>Writes texts in order; each begins with a prompt, which is part of it.</summary>
    /// <param name="model">Who writes.</param>
    /// <param name="prompts">Taken in turns; an empty one is the token that begins a text.</param>
    /// <param name="first">The number of the first text.</param>
    /// <param name="count">How many.</param>
    /// <param name="sampling">How tokens are drawn; its seed is that of text 0.</param>
    /// <param name="tokens">Tokens behind a prompt at most.</param>
    /// <param name="together">Texts that are written at a time.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="Skiff.Tensors.InvalidInputException">A prompt does not fit the context, or an option is out of its range.</exception>
    public static IEnumerable<string> Write(
        Model model, IReadOnlyList<string> prompts, long first, long count, SamplingOptions sampling, int tokens, int together, CancellationToken stop)
    {
        using InferenceEngine engine = new(model);
        using Scheduler scheduler = new(engine, model.Tokenizer, new SchedulerOptions { MaxRunning = together });
        Generator generator = new(engine, model.Tokenizer);
        Queue<Task<string>> writing = new();
        for (long n = first; n < first + count || writing.Count > 0;)
        {
            // Twice as many wait as run, so that a long one among short ones keeps nobody from beginning.
            while (n < first + count && writing.Count < 3 * together)
                writing.Enqueue(One(prompts[(int)(n % prompts.Count)], (sampling.Seed ?? 0) + (ulong)n++));
            yield return writing.Dequeue().GetAwaiter().GetResult();
        }

        async Task<string> One(string prompt, ulong seed)
        {
            int[] ids = generator.PromptIds(prompt);
            GenerationOptions options = new() { MaxTokens = Math.Min(tokens, engine.MaxPositions - ids.Length + 1), EndIds = [.. generator.EndIds.Union(model.EndIds)] };
            StringBuilder text = new(prompt);
            await foreach (GeneratedToken token in scheduler.Submit(ids, new Sampler(sampling with { Seed = seed }, engine.VocabularySize), options, stop: stop).ConfigureAwait(false))
                text.Append(token.Text);
            return text.ToString();
        }
    }
}
