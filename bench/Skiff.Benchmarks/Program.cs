using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary><c>dotnet run -c Release --project bench/Skiff.Benchmarks -- NAME [ARGUMENT...]</c> measures and prints a Markdown table.</summary>
internal static class Program
{
    private static readonly Dictionary<string, Action> s_benchmarks = new(StringComparer.Ordinal)
    {
        ["attention"] = AttentionBenchmark.Run,
        ["bpe-training"] = BpeTrainingBenchmark.Run,
        ["gemm"] = GemmBenchmark.Run,
        ["inference-kernels"] = InferenceKernelsBenchmark.Run,
        ["mup"] = MupBenchmark.Run,
        ["tokenizer"] = TokenizerBenchmark.Run,
        ["wsd"] = WsdBenchmark.Run,
    };

    private static readonly Dictionary<string, Action<string[]>> s_withArguments = new(StringComparer.Ordinal)
    {
        ["text-compression"] = TextCompressionBenchmark.Run,
    };

    public static int Main(string[] args)
    {
        Action? run = args switch
        {
            [string name] when s_benchmarks.TryGetValue(name, out Action? plain) => plain,
            [string name, .. string[] rest] when s_withArguments.TryGetValue(name, out Action<string[]>? withArguments) => () => withArguments(rest),
            _ => null,
        };
        if (run is null)
        {
            Console.Error.WriteLine($"usage: Skiff.Benchmarks {string.Join('|', s_benchmarks.Keys)}|text-compression [FILE...] [--held-out SHARE]");
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
