using Skiff.Models;

namespace Skiff.Benchmarks;

/// <summary>Training time of a 4,096-entry vocabulary on the children's books, for one thread and for all.</summary>
internal static class BpeTrainingBenchmark
{
    private const int Rounds = 7;
    private const int VocabularySize = 4096;

    public static void Run()
    {
        string file = Bench.DataFile("text", "childrens-books.jsonl.gz");
        int[] threads = [.. new[] { 1, Environment.ProcessorCount }.Distinct()];
        BpeTrainingResult? last = null;
        double[][] seconds = Bench.Interleave(Rounds, [.. threads.Select(count => (Action)(() =>
            last = BpeTrainer.Train([file], new() { VocabularySize = VocabularySize, Threads = count })))]);

        Console.WriteLine($"childrens-books.jsonl.gz, {last!.Bytes} bytes of text, {last.PreTokens} pre-tokens ({last.DistinctPreTokens} distinct), {last.Tokenizer.VocabularySize} entries, {Bench.Format(last.BytesPerToken)} bytes per token; median of {Rounds} interleaved rounds.");
        Console.WriteLine();
        Console.WriteLine("| threads | seconds (median) | fastest | slowest | MB/s |");
        Console.WriteLine("| ---: | ---: | ---: | ---: | ---: |");
        for (int i = 0; i < threads.Length; i++)
        {
            double median = Bench.Median(seconds[i]);
            Console.WriteLine($"| {threads[i]} | {Bench.Format(median)} | {Bench.Format(seconds[i].Min())} | {Bench.Format(seconds[i].Max())} | {Bench.Format(last.Bytes / median / 1e6, "0.0")} |");
        }

        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }
}
