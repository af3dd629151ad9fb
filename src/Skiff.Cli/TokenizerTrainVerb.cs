using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff tokenizer train</c>: learns a byte-level BPE vocabulary from text.</summary>
internal static class TokenizerTrainVerb
{
    public static Verb Create()
    {
        BpeTrainingOptions defaults = new() { VocabularySize = 0 };
        Argument<string[]> paths = new("FILES OUT")
        {
            Description = "Text: .txt or .jsonl files (also .gz), folders of them, or patterns such as 'books/**/*.txt'. The last one is the folder to write.",
            Arity = new ArgumentArity(2, 100_000),
        };
        Option<int?> size = Flags.Whole("--vocab-size", "Entries: special tokens, 256 bytes and one a merge.");
        size.Required = true;
        Option<string?> pattern = Flags.Text("--pattern", "NAME", $"How text is cut before counting: gpt2, llama3 or qwen2 ({defaults.Pattern}).");
        Option<string[]> special = new("--special")
        {
            Description = $"A special token; repeat for more. The first one ends a text ({defaults.SpecialTokens[0]}).",
            HelpName = "TOKEN",
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
        };
        Option<int?> frequency = Flags.Whole("--min-frequency", $"Pairs seen less often are not merged ({defaults.MinFrequency}).");
        Option<int?> threads = Flags.Whole("--threads", "Threads that count (one a processor); the result is the same for any number.");
        Option<bool> json = Flags.Json("Print the summary as JSON.");
        Verb verb = new("train", "Trains a byte-level BPE tokenizer on text and writes tokenizer.json and tokenizer_config.json.")
        {
            Examples =
            [
                "skiff tokenizer train books.jsonl.gz --vocab-size 4096 my-tokenizer",
                "skiff tokenizer train corpus/ notes.txt --vocab-size 32000 --pattern llama3 --special '<|endoftext|>' --special '<|user|>' my-tokenizer",
            ],
        };
        verb.Add(paths);
        foreach (Option option in new Option[] { size, pattern, special, frequency, threads, json })
            verb.Add(option);
        return verb.Runs((parse, stop) =>
        {
            string[] names = parse.GetValue(paths)!;
            BpeTrainingOptions options = defaults with { VocabularySize = parse.GetValue(size)!.Value };
            options = options with
            {
                Pattern = parse.GetValue(pattern) ?? options.Pattern,
                SpecialTokens = parse.GetValue(special) is { Length: > 0 } tokens ? tokens : options.SpecialTokens,
                MinFrequency = parse.GetValue(frequency) ?? options.MinFrequency,
                Threads = parse.GetValue(threads) ?? options.Threads,
            };
            Run(names[..^1], names[^1], options, parse.GetValue(json), parse.InvocationConfiguration, stop);
            return Program.Success;
        });
    }

    private static void Run(string[] names, string folder, BpeTrainingOptions options, bool json, InvocationConfiguration streams, CancellationToken stop)
    {
        // Said before the work, not after it: the last argument may be a text file where OUT was forgotten.
        if (File.Exists(folder))
            throw new InvalidInputException(folder, "OUT", "is a file: the last argument is the folder to write");
        Stopwatch watch = Stopwatch.StartNew();
        BpeTrainingResult result;
        using (Stages stages = new(streams.Error))
            result = BpeTrainer.Train(TextFiles.Find(names), options, stages, stop);
        result.Tokenizer.Save(folder);

        int entries = result.Tokenizer.VocabularySize;
        double seconds = watch.Elapsed.TotalSeconds;
        if (entries < options.VocabularySize)
            streams.Error.WriteLine($"{folder}: {entries} entries, not {options.VocabularySize}: the text has no more pairs seen {options.MinFrequency} times (more text or a smaller --min-frequency gives more)");
        if (json)
        {
            Output.Json(streams.Output, writer =>
            {
                writer.WriteString("folder", folder);
                writer.WriteNumber("entries", entries);
                writer.WriteNumber("merges", result.Merges);
                writer.WriteNumber("bytes", result.Bytes);
                writer.WriteNumber("pre_tokens", result.PreTokens);
                writer.WriteNumber("distinct_pre_tokens", result.DistinctPreTokens);
                writer.Figure("seconds", Math.Round(seconds, 3));
                writer.Figure("bytes_per_token", Math.Round(result.BytesPerToken, 4));
            });
            return;
        }

        streams.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {entries} entries, {result.Merges} merges, from {result.Bytes} bytes in {result.PreTokens} pre-tokens ({result.DistinctPreTokens} distinct), {result.BytesPerToken:0.00} bytes per token, {seconds:0.0} s"));
    }

    // One progress line a stage.
    private sealed class Stages(TextWriter error) : IProgress<BpeTrainingProgress>, IDisposable
    {
        private Progress? _progress;
        private string _stage = "";

        public void Report(BpeTrainingProgress value)
        {
            if (value.Stage != _stage)
            {
                _progress?.Dispose();
                _stage = value.Stage;
                _progress = new Progress(error, _stage == "count" ? "reading" : "merging", _stage == "count" ? "bytes" : "merges", value.Total);
            }

            _progress!.Report(value.Done);
        }

        public void Dispose() => _progress?.Dispose();
    }
}
