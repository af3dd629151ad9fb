using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary><c>dotnet run -c Release --project bench/Skiff.Benchmarks -- NAME</c> measures and prints a Markdown table.</summary>
internal static class Program
{
    private static readonly Dictionary<string, Action> s_benchmarks = new(StringComparer.Ordinal)
    {
        ["attention"] = AttentionBenchmark.Run,
        ["bpe-training"] = BpeTrainingBenchmark.Run,
        ["gemm"] = GemmBenchmark.Run,
        ["tokenizer"] = TokenizerBenchmark.Run,
        ["wsd"] = WsdBenchmark.Run,
    };

    public static int Main(string[] args)
    {
        if (args.Length != 1 || !s_benchmarks.TryGetValue(args[0], out Action? run))
        {
            Console.Error.WriteLine($"usage: Skiff.Benchmarks {string.Join('|', s_benchmarks.Keys)}");
            return 2;
        }

        try
        {
            run();
            return 0;
        }
        catch (InvalidInputException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
