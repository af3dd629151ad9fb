using System.Globalization;
using Skiff.Training;

namespace Skiff.Benchmarks;

/// <summary>
/// One Warmup-Stable-Decay run branched for three budgets against cosine schedules tuned for each (MiniCPM, arXiv 2404.06395,
/// section 4): loss on held-out text at equal tokens, and the tokens that either way takes. The recipe is <c>recipes/wsd.yaml</c>.
/// </summary>
internal static class WsdBenchmark
{
    private static readonly long[] s_budgets = [1_000_000, 2_000_000, 4_000_000];
    private static readonly double[] s_rates = [0.001, 0.002, 0.004];

    // Of each budget, the share in which the rate decays.
    private const double DecayShare = 0.1;

    public static void Run()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"skiff-wsd-{Guid.NewGuid():N}");
        string recipe = Path.Combine(Bench.Repository(), "recipes", "wsd.yaml"), books = Bench.DataFile("text", "childrens-books.jsonl.gz");
        try
        {
            double[,] cosine = new double[s_budgets.Length, s_rates.Length], wsd = new double[s_budgets.Length, s_rates.Length];
            for (int r = 0; r < s_rates.Length; r++)
            {
                string rate = s_rates[r].ToString(CultureInfo.InvariantCulture);
                for (int b = 0; b < s_budgets.Length; b++)
                    cosine[b, r] = Train(Recipe.Read(recipe, [.. Common($"cosine-{r}-{b}", s_budgets[b], rate), "schedule.form=cosine", "schedule.floor=0.1"]), null);
                BranchAll(r, rate);
            }

            Print(cosine, wsd);

            void BranchAll(int r, string rate)
            {
                // The stable run goes as far as the longest budget's decay begins, with a checkpoint where each decay begins.
                Recipe stable = Recipe.Read(recipe, [.. Common($"stable-{r}", s_budgets[^1], rate), "schedule.decay_steps=0"]);
                long[] steps = [.. s_budgets.Select(budget => budget / stable.TokensPerStep)], decays = [.. steps.Select(s => (long)Math.Round(s * DecayShare))];
                RunFolder? run = null;
                for (int b = 0; b < s_budgets.Length; b++)
                {
                    long from = steps[b] - decays[b];
                    Recipe part = stable with { Tokens = null, Steps = from };
                    if (run is null)
                        Train(part, null);
                    else
                        Train(part, run.Path);
                    run = RunFolder.Open(stable.Output);
                    Recipe branch = stable with
                    {
                        Output = $"{stable.Output}-{b}",
                        Tokens = null,
                        Steps = steps[b],
                        Schedule = stable.Schedule with { DecaySteps = decays[b] },
                    };
                    using Trainer trainer = Trainer.Branch(branch, recipe, Checkpoint.Open(run.CheckpointPath(from)), run.TokenizerPath, Silent(out Func<double> loss));
                    trainer.Run();
                    wsd[b, r] = loss();
                    Console.Error.WriteLine($"wsd {rate}, {s_budgets[b]} tokens: {wsd[b, r]:0.0000}");
                }
            }

            string[] Common(string name, long tokens, string rate) =>
            [
                $"output={Path.Combine(folder, name)}", $"data.0.files={books}", $"tokens={tokens}", $"optimizer.learning_rate={rate}",
            ];
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    // Trains a recipe to its end, from its beginning or on from a run; the last loss on held-out text.
    private static double Train(Recipe recipe, string? resume)
    {
        TrainingEvents events = Silent(out Func<double> loss);
        using Trainer trainer = resume is null ? Trainer.Start(recipe, "wsd.yaml", events) : Trainer.Resume(recipe, "wsd.yaml", events);
        trainer.Run();
        Console.Error.WriteLine($"{Path.GetFileName(recipe.Output)}, {recipe.TotalSteps * recipe.TokensPerStep} tokens: {loss():0.0000}");
        return loss();
    }

    private static TrainingEvents Silent(out Func<double> loss)
    {
        double last = double.NaN;
        loss = () => last;
        return new TrainingEvents { Validation = metrics => last = metrics.Loss };
    }

    private static void Print(double[,] cosine, double[,] wsd)
    {
        Console.WriteLine("Held-out loss, nats a token:");
        Console.WriteLine();
        Console.WriteLine($"| tokens | schedule | {string.Join(" | ", s_rates.Select(rate => rate.ToString(CultureInfo.InvariantCulture)))} | best |");
        Console.WriteLine($"| ---: | --- | {string.Join(" | ", s_rates.Select(_ => "---:"))} | ---: |");
        for (int b = 0; b < s_budgets.Length; b++)
        {
            Row(b, "cosine", cosine);
            Row(b, "wsd", wsd);
        }

        // One stable run must serve all budgets, so one rate is chosen for all of them.
        int chosen = Enumerable.Range(0, s_rates.Length).MinBy(r => Enumerable.Range(0, s_budgets.Length).Sum(b => wsd[b, r] / Best(cosine, b)));
        Console.WriteLine();
        Console.WriteLine($"One stable run at {s_rates[chosen].ToString(CultureInfo.InvariantCulture)}, branched:");
        Console.WriteLine();
        Console.WriteLine("| tokens | wsd | best cosine | difference |");
        Console.WriteLine("| ---: | ---: | ---: | ---: |");
        for (int b = 0; b < s_budgets.Length; b++)
            Console.WriteLine($"| {s_budgets[b]} | {Bench.Format(wsd[b, chosen], "0.0000")} | {Bench.Format(Best(cosine, b), "0.0000")} | {Bench.Format(100 * (wsd[b, chosen] / Best(cosine, b) - 1), "+0.00;-0.00")}% |");
        double one = (1 - DecayShare) * s_budgets[^1] + DecayShare * s_budgets.Sum(), each = s_budgets.Sum();
        Console.WriteLine();
        Console.WriteLine($"Tokens for the three budgets: {Bench.Format(one / 1e6)}M by one stable run and its branches, {Bench.Format(each / 1e6)}M by a cosine run each: {Bench.Format(100 * (1 - one / each), "0")}% saved at one rate.");
        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    private static void Row(int budget, string name, double[,] losses)
    {
        IEnumerable<double> row = Enumerable.Range(0, s_rates.Length).Select(r => losses[budget, r]);
        Console.WriteLine($"| {s_budgets[budget]} | {name} | {string.Join(" | ", row.Select(loss => Bench.Format(loss, "0.0000")))} | {Bench.Format(row.Min(), "0.0000")} |");
    }

    private static double Best(double[,] losses, int budget) => Enumerable.Range(0, s_rates.Length).Min(r => losses[budget, r]);
}
