using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>What a set of shards is made from, as hashes: where they agree, the shards need not be made again.</summary>
internal static class ShardKey
{
    private const string Format = "skiff token shards 2";

    /// <summary>SHA-256 of a tokenizer: of its <c>tokenizer.json</c> and of the tokens that begin and end a text.</summary>
    public static byte[] OfTokenizer(Tokenizer tokenizer)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes))
            HuggingFaceWriter.WriteTokenizer(tokenizer.Spec, json);
        bytes.Write(Encoding.UTF8.GetBytes($"\nbos {tokenizer.BosId} eos {tokenizer.EosId}"));
        return SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>
    /// SHA-256 of the tokenizer's hash, the options that change bytes, the chat template where there is one, and the files'
    /// names (without folders, so that a corpus may move), sizes and contents in order.
    /// </summary>
    public static byte[] Of(
        IReadOnlyList<string> files, ReadOnlySpan<byte> tokenizer, ChatTemplate? template, TokenShardOptions options, Action<long> read, CancellationToken cancellation)
    {
        (long Length, byte[] Hash)[] contents = new (long, byte[])[files.Count];
        Lock gate = new();
        long done = 0;
        try
        {
            Parallel.For(0, files.Count, new ParallelOptions { MaxDegreeOfParallelism = options.Threads, CancellationToken = cancellation }, i =>
            {
                contents[i] = OfFile(files[i], count =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    lock (gate)
                        read(done += count);
                });
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.FirstOrDefault(inner => inner is InvalidInputException) is InvalidInputException first)
        {
            throw new InvalidInputException(first.Input, first.Field, first.Problem, first);
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException(cancellation);
        }

        StringBuilder text = new();
        text.Append(Format).Append('\n').Append(Convert.ToHexString(tokenizer)).Append('\n');
        text.Append($"shard {options.ShardTokens} bos {options.BeginWithBos} eos {options.EndsWithEos}\n");
        if (options.Anchors is { } anchors)
            text.Append($"anchors {anchors.ToJson().ToJsonString()}\n");
        if (template is not null)
            text.Append($"chat {Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(template.Identity)))}\n");
        for (int i = 0; i < files.Count; i++)
            text.Append($"{contents[i].Length} {Convert.ToHexString(contents[i].Hash)} {Path.GetFileName(files[i])}\n");
        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static (long Length, byte[] Hash) OfFile(string path, Action<long> read)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[1 << 20];
            long length = 0;
            int count;
            while ((count = file.Read(buffer)) > 0)
            {
                hash.AppendData(buffer, 0, count);
                length += count;
                read(count);
            }

            return (length, hash.GetHashAndReset());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }
}
