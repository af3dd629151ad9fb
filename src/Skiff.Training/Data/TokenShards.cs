using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A tokenised corpus: a folder of shard files mapped into memory, ids of 16 or 32 bits with the borders of documents.
/// Safe for concurrent reading.
/// </summary>
public sealed class TokenShards : IDisposable
{
    private readonly TokenShard[] _shards;

    private TokenShards(string folder, TokenShard[] shards)
    {
        Folder = folder;
        _shards = shards;
        Documents = shards.Sum(shard => (long)shard.Header.Documents);
        Tokens = shards.Sum(shard => (long)shard.Header.Tokens);
        TextBytes = shards.Sum(shard => shard.Header.TextBytes);
        VocabularySize = shards[0].Header.VocabularySize;
        IsMasked = shards[0].Header.IsMasked;
        Key = Convert.ToHexStringLower(shards[0].Header.Key.Span);
    }

    /// <summary>The folder as given.</summary>
    public string Folder { get; }

    /// <summary>Documents in all shards.</summary>
    public long Documents { get; }

    /// <summary>Tokens in all shards, with those that begin and end documents.</summary>
    public long Tokens { get; }

    /// <summary>UTF-8 bytes of the documents' text; of conversations, as they are written out.</summary>
    public long TextBytes { get; }

    /// <summary>The tokenizer's largest id plus one.</summary>
    public int VocabularySize { get; }

    /// <summary>Whether only some tokens are targets, as in conversations those of the assistant; else all are.</summary>
    public bool IsMasked { get; }

    /// <summary>SHA-256, in hexadecimal digits, of everything the shards are made from: tokenizer, sources, options.</summary>
    public string Key { get; }

    internal IReadOnlyList<TokenShard> Shards => _shards;

    /// <summary>
    /// Tokenises files, folders and patterns (<c>.txt</c>, <c>.jsonl</c>, <c>.parquet</c>, the first two also <c>.gz</c>; of
    /// conversations <c>.jsonl</c> and <c>.jsonl.gz</c>) into a folder. Shards that an earlier run finished from the same tokenizer, sources and options are kept, so a killed
    /// run goes on where it was; from anything else they are made anew. A shard appears whole or not at all.
    /// </summary>
    /// <exception cref="InvalidInputException">A source or option cannot be used, the corpus is empty, or the disk is full.</exception>
    public static TokenShardResult Build(
        IEnumerable<string> names, Tokenizer tokenizer, string folder, TokenShardOptions? options = null, IProgress<TokenShardProgress>? progress = null, CancellationToken cancellation = default) =>
        new TokenShardBuilder(tokenizer, folder, options ?? new TokenShardOptions(), progress, cancellation).Build(names);

    /// <summary>Opens the shards of a finished build.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="verify">Whether every byte is hashed, at about 1.5 GB a second; else headers, lengths and borders only.</param>
    /// <exception cref="InvalidInputException">A shard is missing, cut short, damaged or not of this set; it is named.</exception>
    public static TokenShards Open(string folder, bool verify = true)
    {
        List<TokenShard> shards = [];
        try
        {
            do
            {
                string path = TokenShardBuilder.PathOf(folder, shards.Count);
                if (!File.Exists(path))
                    throw new InvalidInputException(path, "file", shards.Count == 0 ? "not found: there are no token shards" : "not found: the build was not finished; run it again");
                shards.Add(TokenShard.Open(path, verify));
                CheckOrder(path, shards);
            }
            while (!shards[^1].Header.IsLast);
            return new TokenShards(folder, [.. shards]);
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
    }

    /// <summary>Refuses a tokenizer other than the one that made the shards.</summary>
    /// <exception cref="InvalidInputException">It differs.</exception>
    public void CheckTokenizer(Tokenizer tokenizer)
    {
        if (tokenizer.VocabularySize != VocabularySize)
            throw new InvalidInputException(Folder, "vocabulary", $"{VocabularySize} entries, but the tokenizer has {tokenizer.VocabularySize}: tokenise the text with it");
        if (!_shards[0].Header.Tokenizer.Span.SequenceEqual(ShardKey.OfTokenizer(tokenizer)))
            throw new InvalidInputException(Folder, "tokenizer", "made with another one: tokenise the text with this one");
    }

    /// <summary>Counts one side of the held-out split.</summary>
    /// <exception cref="InvalidInputException">The share is not from 0 to 1.</exception>
    public TokenCount Count(DataSplit split, double heldOutShare)
    {
        HeldOut part = new(split, heldOutShare);
        TokenCount count = default;
        foreach (TokenShard shard in _shards)
        {
            ReadOnlySpan<byte> table = shard.Table;
            int start = 0;
            for (int i = 0; i < shard.Header.Documents; i++)
            {
                int end = ShardTable.End(table, i);
                if (part.Holds(ShardTable.Hash(table, i)))
                    count = new TokenCount(count.Documents + 1, count.Tokens + end - start, count.TextBytes + ShardTable.TextBytes(table, i));
                start = end;
            }
        }

        return count;
    }

    /// <summary>The ids of a document, from 0 in the order of the sources.</summary>
    public int[] ReadDocument(long document)
    {
        (TokenShard shard, int start, int length) = Find(document);
        int[] ids = new int[length];
        shard.Copy(start, ids);
        return ids;
    }

    /// <summary>The ids of a document as targets: <see cref="DataLoader.NoTarget"/> where a token is not the loss's to ask for.</summary>
    public int[] ReadTargets(long document)
    {
        (TokenShard shard, int start, int length) = Find(document);
        int[] ids = new int[length];
        shard.Copy(start, ids);
        shard.Hide(start, ids);
        return ids;
    }

    /// <summary>Unmaps the files.</summary>
    public void Dispose() => Array.ForEach(_shards, shard => shard.Dispose());

    private (TokenShard Shard, int Start, int Length) Find(long document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(document, Documents);
        TokenShard shard = _shards.Last(shard => shard.Header.FirstDocument <= document);
        int index = (int)(document - shard.Header.FirstDocument), start = shard.Start(index);
        return (shard, start, ShardTable.End(shard.Table, index) - start);
    }

    private static void CheckOrder(string path, List<TokenShard> shards)
    {
        ShardHeader first = shards[0].Header, header = shards[^1].Header;
        long documents = shards.Count == 1 ? 0 : shards[^2].Header.FirstDocument + shards[^2].Header.Documents;
        if (header.Index != shards.Count - 1 || header.IsMasked != first.IsMasked || header.FirstDocument != documents || !header.Key.Span.SequenceEqual(first.Key.Span)
            || !header.Tokenizer.Span.SequenceEqual(first.Tokenizer.Span) || header.VocabularySize != first.VocabularySize)
            throw new InvalidInputException(path, "header", "does not belong to the shards before it: build them again");
    }
}
