using System.Collections.Concurrent;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Trains byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909, on bytes as GPT-2 does): starting from
/// the 256 bytes, the most frequent adjacent pair within pre-tokens becomes a new token; ties go to the lexicographically
/// greater pair of byte strings. The same text and options give the same tokenizer on any machine and number of threads.
/// </summary>
public static class BpeTrainer
{
    private const int ChunkSize = 1 << 18;

    /// <summary>
    /// Trains on files: UTF-8 text, where a file is one document, or JSON lines, where a record's <c>text</c> is one;
    /// either may end in <c>.gz</c>. Files are streamed: memory holds the distinct pre-tokens, not the text.
    /// </summary>
    /// <exception cref="InvalidInputException">An option or a file cannot be used, or the files hold no text.</exception>
    public static BpeTrainingResult Train(IReadOnlyList<string> files, BpeTrainingOptions options, IProgress<BpeTrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        return Train(options, ChunkSize, progress, chunkerFor =>
        {
            long total = 0, done = 0;
            foreach (string file in files)
                total += File.Exists(file) ? new FileInfo(file).Length : throw new InvalidInputException(file, "file", "not found");
            foreach (string file in files)
            {
                TextChunker chunker = chunkerFor(file);
                TextFileReader.Read(file, chunker, position =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    progress?.Report(new BpeTrainingProgress("count", done + position, total));
                });
                chunker.Flush();
                done += new FileInfo(file).Length;
            }
        }, cancellation);
    }

    /// <summary>Trains on texts at hand, each a document of its own.</summary>
    /// <exception cref="InvalidInputException">An option cannot be used, or there is no text.</exception>
    public static BpeTrainingResult TrainOnTexts(IEnumerable<string> documents, BpeTrainingOptions options, CancellationToken cancellation = default) =>
        TrainOnTexts(documents, options, ChunkSize, cancellation);

    /// <summary>The same with chunks of another size, in bytes, which changes no result.</summary>
    internal static BpeTrainingResult TrainOnTexts(IEnumerable<string> documents, BpeTrainingOptions options, int chunkSize, CancellationToken cancellation = default) =>
        TrainOnTexts(
            take =>
            {
                foreach (string document in documents)
                    take(Encoding.UTF8.GetBytes(document));
            },
            options, chunkSize, cancellation);

    /// <summary>The same for whoever reads texts himself and hands each over as UTF-8.</summary>
    internal static BpeTrainingResult TrainOnTexts(Action<TakeText> read, BpeTrainingOptions options, int chunkSize = ChunkSize, CancellationToken cancellation = default)
    {
        return Train(options, chunkSize, null, chunkerFor =>
        {
            TextChunker chunker = chunkerFor("text");
            read(text =>
            {
                text.CopyTo(chunker.Room(text.Length));
                chunker.Advance(text.Length);
                chunker.EndDocument();
            });
            chunker.Flush();
        }, cancellation);
    }

    private static BpeTrainingResult Train(
        BpeTrainingOptions options, int chunkSize, IProgress<BpeTrainingProgress>? progress, Action<Func<string, TextChunker>> read, CancellationToken cancellation)
    {
        (KnownPattern pattern, PreTokenizer cut) = ByteLevelParts.Pattern(options.Pattern);
        ByteLevelParts.CheckSpecialTokens(options.SpecialTokens);
        int specials = options.SpecialTokens.Count;
        if (options.VocabularySize < 256 + specials)
            throw new InvalidInputException("vocabulary size", options.VocabularySize.ToString(), $"too small: 256 bytes and {specials} special tokens need {256 + specials}");
        if (options.MinFrequency < 1)
            throw new InvalidInputException("minimum frequency", options.MinFrequency.ToString(), "must be at least 1");
        if (options.Threads < 1)
            throw new InvalidInputException("threads", options.Threads.ToString(), "must be at least 1");

        PreTokenCounter counter = CountAll(options, pattern, chunkSize, read);
        if (counter.PreTokens == 0)
            throw new InvalidInputException("text", "pre-tokens", "the corpus is empty: there is nothing to train on");
        MergeLearner learner = new(counter.Words);
        // A special token is looked up by its text: no merged token may be spelled like one.
        HashSet<string> reserved = [.. options.SpecialTokens];
        learner.Run(options.VocabularySize - specials, options.MinFrequency, bytes => !reserved.Contains(ByteAlphabet.TextOf(bytes)), progress, cancellation);

        string? endOfText = specials > 0 ? options.SpecialTokens[0] : null;
        Tokenizer tokenizer = ByteLevelParts.Build(
            "trained tokenizer",
            [.. options.SpecialTokens, .. learner.Tokens.Select(token => ByteAlphabet.TextOf(token))],
            [.. learner.Merges.Select(pair => (pair.First + specials, pair.Second + specials))],
            Enumerable.Range(0, specials),
            cut,
            endOfText,
            endOfText);
        return new BpeTrainingResult(tokenizer, learner.Merges.Count, counter.Bytes, counter.PreTokens, counter.Words.Count, learner.CountTokens() + counter.SpecialTokens);
    }

    private static PreTokenCounter CountAll(BpeTrainingOptions options, KnownPattern pattern, int chunkSize, Action<Func<string, TextChunker>> read)
    {
        byte[][] specialTokens = [.. options.SpecialTokens.Select(Encoding.UTF8.GetBytes)];
        PreTokenCounter own = new(pattern, specialTokens);
        using BlockingCollection<TextChunk> queue = new(2 * options.Threads);
        Task<PreTokenCounter>[] workers = [.. Enumerable.Range(1, options.Threads - 1).Select(_ => Task.Factory.StartNew(
            () =>
            {
                PreTokenCounter counter = new(pattern, specialTokens);
                foreach (TextChunk chunk in queue.GetConsumingEnumerable())
                    counter.Count(chunk);
                return counter;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];

        // The thread that reads counts as well, whenever the others have enough to do.
        void Emit(TextChunk chunk)
        {
            if (workers.Length == 0 || !queue.TryAdd(chunk))
                own.Count(chunk);
        }

        try
        {
            read(name => new TextChunker(name, chunkSize, pattern, specialTokens, Emit));
        }
        finally
        {
            queue.CompleteAdding();
            foreach (TextChunk chunk in queue.GetConsumingEnumerable())
                own.Count(chunk);
            Task.WaitAll(workers);
        }

        foreach (Task<PreTokenCounter> worker in workers)
            own.Take(worker.Result);
        return own;
    }
}

/// <summary>Takes a document's text in UTF-8.</summary>
internal delegate void TakeText(ReadOnlySpan<byte> text);
