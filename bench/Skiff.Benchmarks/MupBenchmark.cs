// D width, m = D / 64
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Benchmarks;

/// <summary>
/// The wind tunnel's claim: under the maximal update parametrization the best learning rate of a narrow model is that of a wide one.
/// Runs of <c>recipes/mup.yaml</c> that differ in width, rate and parametrization only; what counts is the loss on held-out stories.
/// </summary>
internal static class MupBenchmark
{
    private static readonly int[] s_widths = [64, 128, 256];
    private static readonly double[] s_rates = [0.001, 0.002, 0.004, 0.008, 0.016];

    private static readonly (string Name, string Keys)[] s_forms =
    [
        ("standard", "{form: standard}"),
        ("mup", "{form: mup, base_width: 64}"),
        ("mup, embed_as_hidden: false", "{form: mup, base_width: 64, embed_as_hidden: false}"),
    ];

    public static void Run()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"skiff-mup-{Guid.NewGuid():N}"), corpus = Bench.DataFile("text", "tinystories-v1-train.jsonl.gz");
        try
        {
            BpeTrainer.Train([corpus], new BpeTrainingOptions { VocabularySize = 512 }).Tokenizer.Save(Path.Combine(folder, "tokenizer"));
            Console.WriteLine($"| parametrization | width | {string.Join(" | ", s_rates.Select(rate => Bench.Format(rate, "0.####")))} | best | at the best rate of width {s_widths[0]} |");
            Console.WriteLine($"| --- | ---: | {string.Join(" | ", s_rates.Select(_ => "---:"))} | ---: | ---: |");
            foreach ((string name, string keys) in s_forms)
            {
                int narrow = 0;
                foreach (int width in s_widths)
                {
                    double[] losses = [.. s_rates.Select(rate => Loss(folder, corpus, width, keys, rate))];
                    int best = Array.IndexOf(losses, losses.Min());
                    narrow = width == s_widths[0] ? best : narrow;
                    string cells = string.Join(" | ", losses.Select((loss, i) => Bench.Format(loss, i == best ? "**0.000**" : "0.000")));
                    Console.WriteLine($"| {name} | {width} | {cells} | {Bench.Format(s_rates[best], "0.####")} | {Bench.Format(losses[narrow] - losses[best], "+0.000;-0.000")} |");
                }
            }
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }

        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    // Infinite where the run went astray.
    private static double Loss(string folder, string corpus, int width, string parametrization, double rate)
    {
        string output = Path.Combine(folder, "run");
        Recipe recipe = Recipe.Read(Path.Combine(Bench.Repository(), "recipes", "mup.yaml"), [.. ((FormattableString[])
        [
            $"output={output}", $"tokenizer={Path.Combine(folder, "tokenizer")}", $"data.0.files={corpus}", $"parametrization={parametrization}",
            $"optimizer.learning_rate={rate}", $"model.hidden_size={width}", $"model.intermediate_size={width * 5 / 2}", $"model.num_attention_heads={width / 32}",
        ]).Select(FormattableString.Invariant)]);
        double loss = double.PositiveInfinity;
        try
        {
            using Trainer trainer = Trainer.Start(recipe, "mup.yaml", new TrainingEvents { Validation = metrics => loss = metrics.Loss });
            trainer.Run();
        }
        catch (InvalidInputException e) when (e.Problem.Contains("is no number", StringComparison.Ordinal))
        {
        }

        Directory.Delete(output, recursive: true);
        return loss;
    }
}
