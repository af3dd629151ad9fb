using System.Diagnostics;
using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Makes the shards of a folder what their sources ask for, keeping every finished one that already is.</summary>
internal sealed class TokenShardBuilder(
    Tokenizer tokenizer, string folder, TokenShardOptions options, IProgress<TokenShardProgress>? progress, CancellationToken cancellation)
{
    private ChatTemplate? _template;

    /// <summary>What stands between the builder and a shard's file: the tests fill their disks here.</summary>
    public Func<Stream, Stream> OpenShard { get; init; } = stream => stream;

    /// <summary>The file of shard <paramref name="index"/>.</summary>
    public static string PathOf(string folder, int index) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"shard-{index:00000}.tokens"));

    /// <summary>See <see cref="TokenShards.Build"/>.</summary>
    public TokenShardResult Build(IEnumerable<string> names)
    {
        options.Check(tokenizer);
        _template = options.Template(tokenizer);
        IReadOnlyList<string> files = DocumentReader.Find(names, options.Format);
        try
        {
            Directory.CreateDirectory(folder);
            using FileStream gate = Lock();
            RemoveTemporaries();
            return Build(files);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(folder, "folder", $"cannot be written: {e.Message}", e);
        }
    }

    private TokenShardResult Build(IReadOnlyList<string> files)
    {
        long total = files.Sum(file => File.Exists(file) ? new FileInfo(file).Length : 0);
        byte[] tokenizerHash = ShardKey.OfTokenizer(tokenizer);
        Stopwatch watch = Stopwatch.StartNew();
        byte[] key = ShardKey.Of(files, tokenizerHash, _template, options, bytes => Report("check", bytes, 0, total, 0, watch), cancellation);

        ShardHeader? last = Keep(key, out int kept, out long keptTokens, out string? damage);
        int written = 0;
        if (last is not { IsLast: true })
            written = Write(files, key, tokenizerHash, last, kept, keptTokens, total);
        // Shards just written were hashed on their way and kept ones a moment ago.
        return new TokenShardResult(TokenShards.Open(folder, verify: false), kept, written, damage);
    }

    // Keeps the shards that are whole and made from this key, up to the first that is not; removes the rest.
    private ShardHeader? Keep(byte[] key, out int kept, out long tokens, out string? damage)
    {
        ShardHeader? last = null;
        kept = 0;
        tokens = 0;
        damage = null;
        while (last is not { IsLast: true } && File.Exists(PathOf(folder, kept)))
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                using TokenShard shard = TokenShard.Open(PathOf(folder, kept), verify: true);
                if (!shard.Header.Key.Span.SequenceEqual(key) || shard.Header.Index != kept || shard.Header.FirstDocument != DocumentsThrough(last))
                    break;
                last = shard.Header;
            }
            catch (InvalidInputException e)
            {
                damage = e.Message;
                break;
            }

            tokens += last.Tokens;
            kept++;
        }

        HashSet<string> good = [.. Enumerable.Range(0, kept).Select(index => Path.GetFileName(PathOf(folder, index)))];
        foreach (string file in Directory.GetFiles(folder, "shard-*.tokens"))
        {
            if (!good.Contains(Path.GetFileName(file)))
                File.Delete(file);
        }

        return last;
    }

    private int Write(IReadOnlyList<string> files, byte[] key, byte[] tokenizerHash, ShardHeader? last, int kept, long tokens, long total)
    {
        using TokenizePipeline pipeline = new(files, tokenizer, _template, options, DocumentsThrough(last), cancellation);
        EncodedDocuments documents = new(pipeline);
        if (documents.AtEnd)
            throw new InvalidInputException(files[0], "text", files.Count == 1 ? "the corpus is empty" : $"the corpus of {files.Count} files is empty");
        // The rate counts from here: what finished shards hold was only read over.
        long from = documents.SourceBytes;
        Stopwatch watch = Stopwatch.StartNew();
        int index = kept;
        while (last is not { IsLast: true })
        {
            AtomicFile.Write(PathOf(folder, index), stream =>
            {
                ShardHeader start = new()
                {
                    VocabularySize = tokenizer.VocabularySize,
                    Index = index,
                    IsLast = false,
                    IsMasked = options.Format == DocumentFormat.Chat,
                    FirstDocument = DocumentsThrough(last),
                    Documents = 0,
                    Tokens = 0,
                    TextBytes = 0,
                    Key = key,
                    Tokenizer = tokenizerHash,
                    Content = default,
                };
                Stream file = OpenShard(stream);
                using ShardWriter shard = new(file, start.IdWidth, start.IsMasked);
                do
                {
                    documents.MoveTo(shard);
                    if (shard.Documents % 64 == 0)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        Report("tokenize", documents.SourceBytes, from, total, tokens + shard.Tokens, watch);
                    }
                }
                while (!documents.AtEnd && shard.Tokens < options.ShardTokens && shard.Documents < options.ShardTokens);
                last = shard.Finish(start with { IsLast = documents.AtEnd });
                file.Flush();
            });
            tokens += last!.Tokens;
            index++;
            Report("tokenize", last.IsLast ? total : documents.SourceBytes, from, total, tokens, watch);
        }

        return index - kept;
    }

    private static long DocumentsThrough(ShardHeader? last) => last is null ? 0 : last.FirstDocument + last.Documents;

    private void Report(string stage, long bytes, long from, long total, long tokens, Stopwatch watch)
    {
        double rate = (bytes - from) / Math.Max(watch.Elapsed.TotalSeconds, 1e-3);
        progress?.Report(new TokenShardProgress(stage, bytes, total, tokens, bytes >= total ? TimeSpan.Zero : rate > 0 ? TimeSpan.FromSeconds((total - bytes) / rate) : null));
    }

    private FileStream Lock()
    {
        try
        {
            return new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new InvalidInputException(folder, ".lock", $"another run is building these shards, or the folder cannot be written: {e.Message}", e);
        }
    }

    // What a killed run was writing.
    private void RemoveTemporaries()
    {
        foreach (string file in Directory.GetFiles(folder, ".shard-*.tokens.*.tmp"))
            File.Delete(file);
    }
}
