using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>One row of a benchmark, as llama-bench counts: a prompt is processed or tokens are generated, behind a number of cached tokens.</summary>
/// <param name="NPrompt">Tokens of the prompt that is timed; 0 where generation is.</param>
/// <param name="NGen">Tokens generated one by one; 0 where a prompt is timed.</param>
/// <param name="NDepth">Tokens in the cache before the clock starts.</param>
/// <param name="NThreads">Threads that compute.</param>
/// <param name="NBatch">Tokens of a prompt that go through the model together at most.</param>
/// <param name="NParallel">Sequences that generate together, each with its own cache; 1 where a prompt is timed.</param>
public sealed record ThroughputTest(int NPrompt, int NGen, int NDepth, int NThreads, int NBatch, int NParallel = 1)
{
    /// <summary>Sequences of a row at most: the rows of one pass.</summary>
    public const int MostParallel = 512;

    /// <summary><c>pp512</c>, <c>tg128</c>, <c>tg128 x8</c>, <c>tg128 x8 @ d1024</c>.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{(NPrompt > 0 ? $"pp{NPrompt}" : $"tg{NGen}")}{(NParallel > 1 ? $" x{NParallel}" : "")}{(NDepth > 0 ? $" @ d{NDepth}" : "")}");

    /// <summary>Tokens that are timed, of all sequences together.</summary>
    public int Tokens => NPrompt + NGen * NParallel;

    /// <summary>Positions that each sequence comes to.</summary>
    public long Positions => (long)NDepth + NPrompt + NGen;

    /// <summary>Every combination, in llama-bench's order: threads, then depths, then prompts and generations, these with each number of sequences. Lengths of 0 are left out.</summary>
    public static IReadOnlyList<ThroughputTest> Combine(
        IReadOnlyList<int> prompts, IReadOnlyList<int> generations, IReadOnlyList<int> depths, IReadOnlyList<int> threads, int batch, IReadOnlyList<int> parallel) =>
    [
        .. from t in threads
           from d in depths
           from test in prompts.Select(p => new ThroughputTest(p, 0, d, t, batch))
               .Concat(from n in generations from s in parallel select new ThroughputTest(0, n, d, t, batch, s))
           where test.Tokens > 0
           select test,
    ];

    /// <summary>Refuses a row that cannot be measured on this model.</summary>
    /// <exception cref="InvalidInputException">A number out of range, nothing to time, or more positions than the model has.</exception>
    public void Check(ModelConfig config)
    {
        if (NPrompt < 0 || NGen < 0 || NDepth < 0)
            throw Refusal(NPrompt < 0 ? "n_prompt" : NGen < 0 ? "n_gen" : "n_depth", "must not be negative");
        if (NPrompt > 0 == NGen > 0)
            throw Refusal("n_prompt and n_gen", "one of them is timed in a row: the other must be 0");
        if (NThreads is < 1 or > 1024)
            throw Refusal("n_threads", $"must lie from 1 to 1024, not {NThreads}");
        if (NBatch < 1)
            throw Refusal("n_batch", "must be at least 1");
        if (NParallel is < 1 or > MostParallel)
            throw Refusal("n_parallel", $"must lie from 1 to {MostParallel}, not {NParallel}");
        if (NParallel > 1 && NPrompt > 0)
            throw Refusal("n_parallel", "prompts are timed one by one: it must be 1");
        if ((long)NGen * NParallel > int.MaxValue)
            throw Refusal(Name, $"{(long)NGen * NParallel} tokens are more than a row can have");
        if (Positions > config.MaxPositionEmbeddings)
            throw Refusal(Name, $"{Positions} positions are more than the model's context of {config.MaxPositionEmbeddings}");

        static InvalidInputException Refusal(string field, string problem) => new("bench", field, problem);
    }
}
