using System.CommandLine;
using System.Globalization;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff bench</c>: how fast a model processes prompts and generates, in llama-bench's terms, against this machine's limits.</summary>
internal static class BenchVerb
{
    public static Verb Create()
    {
        Argument<string> model = new("MODEL") { Description = "A model folder, a .gguf or llama2.c .bin file, or zoo:NAME for random weights." };
        Option<int[]?> prompts = Numbers("--n-prompt", "-p", 0, "Prompt lengths to time; 0 for none [default: 512].");
        Option<int[]?> generations = Numbers("--n-gen", "-n", 0, "Numbers of tokens to generate; 0 for none [default: 128].");
        Option<int[]?> depths = Numbers("--n-depth", "-d", 0, "Tokens in the cache before the clock starts [default: 0].");
        Option<int[]?> parallel = Numbers("--parallel", "-np", 1, "Sequences that generate together, timed as one [default: 1].");
        Option<int[]?> threads = Numbers("--threads", "-t", 1, "Threads that compute [default: one a processor, or SKIFF_THREADS].");
        Option<int?> batch = Flags.Whole("--batch-size", "Tokens of a prompt that go through the model together at most [default: 2048].");
        batch.Aliases.Add("-b");
        Option<int?> repetitions = Flags.Whole("--repetitions", "Measurements of each row after one warm-up [default: 5].");
        repetitions.Aliases.Add("-r");
        Option<TensorType?> type = TypeFlag.Create("Convert matrices before measuring", "by default as they are, f32 for zoo:NAME");
        Option<TensorType?> cacheType = new CacheFlags().Type;
        Option<string?> form = new("--output", "-o") { Description = "md, json or csv [default: md].", HelpName = "FORM" };
        form.AcceptOnlyFromAmong("md", "json", "csv");
        Verb verb = new("bench", "Time a model's prompts and generation; 'skiff bench train' times training.")
        {
            Examples =
            [
                "skiff bench model.gguf -p 512 -n 128 -d 0,1024 -t 2 -r 5",
                "skiff bench model.gguf -p 0 -n 128 -np 1,8",
                "skiff bench zoo:smollm2-135m --type q4_0 -o json",
            ],
        };
        verb.Arguments.Add(model);
        foreach (Option option in new Option[] { prompts, generations, depths, parallel, threads, batch, repetitions, type, cacheType, form })
            verb.Options.Add(option);
        verb.Add(BenchTrainVerb.Create());
        return verb.Computes((parse, stop) =>
        {
            IReadOnlyList<ThroughputTest> tests = ThroughputTest.Combine(
                Given(prompts, 512), Given(generations, 128), Given(depths, 0), Given(threads, ThreadTeam.Default.Threads), parse.GetValue(batch) ?? 2048, Given(parallel, 1));
            int times = parse.GetValue(repetitions) ?? 5;
            if (tests.Count == 0)
                throw new InvalidInputException("bench", "--n-prompt and --n-gen", "are 0 alone: nothing is left to time");
            if (times < 1)
                throw new InvalidInputException("bench", "--repetitions", "must be at least 1");
            string path = parse.GetValue(model)!;
            ModelConfig config = Model.OpenConfig(path);
            foreach (ThroughputTest test in tests)
                test.Check(config);

            using MachineBandwidth memory = new();
            Model opened = Model.Open(path);
            if (parse.GetValue(type) is { } asked)
                opened = opened.ConvertTo(asked);
            using ThroughputBenchmark benchmark = new(opened, memory, team => BenchmarkDriver.Of(opened, team, parse.GetValue(cacheType)));
            BenchPrinter printer = new(parse.InvocationConfiguration.Output, parse.GetValue(form) ?? "md", opened, benchmark.ModelSize);
            using (Progress progress = new(parse.InvocationConfiguration.Error, "measuring", "runs", tests.Count * (times + 1L)))
            {
                long done = 0;
                foreach (ThroughputTest test in tests)
                {
                    ThroughputFigures figures = benchmark.Measure(test, times, () => progress.Report(++done, test.Name), stop);
                    // Clears its line; it comes again with the next report.
                    progress.Dispose();
                    printer.Row(figures);
                }
            }

            printer.End();
            return Program.Success;

            int[] Given(Option<int[]?> option, int usual) => parse.GetValue(option) is { Length: > 0 } numbers ? numbers : [usual];
        });
    }

    // As in llama-bench: "512" or "128,512", and the option may come several times.
    private static Option<int[]?> Numbers(string name, string alias, int least, string description)
    {
        Option<int[]?> option = new(name, alias)
        {
            Description = description,
            HelpName = "N,...",
            CustomParser = result =>
            {
                List<int> numbers = [];
                foreach (string text in result.Tokens.SelectMany(token => token.Value.Split(',')))
                {
                    if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < least)
                    {
                        result.AddError($"{name} takes whole numbers from {least}, separated by commas, not '{text}'");
                        return null;
                    }

                    numbers.Add(number);
                }

                return [.. numbers];
            },
        };
        return option;
    }
}
