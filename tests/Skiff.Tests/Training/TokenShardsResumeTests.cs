using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class TokenShardsResumeTests : IDisposable
{
    private static readonly TokenShardOptions Options = new() { ShardTokens = 3000, Threads = 2 };
    private readonly Corpus _corpus = new();
    private readonly string _source;

    public TokenShardsResumeTests() => _source = _corpus.Write("a.jsonl.gz", Corpus.Texts(4000, 60));

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public void TheNumberOfThreadsChangesNoByte()
    {
        Build();
        List<byte[]> one = Corpus.Bytes(_corpus.Shards);
        Assert.True(one.Count > 20);
        foreach (int threads in new[] { 1, 3, 8 })
        {
            string folder = Path.Combine(_corpus.Root, $"t{threads}");
            Build(Options with { Threads = threads }, folder);
            Assert.Equal(one, Corpus.Bytes(folder));
        }
    }

    [Fact]
    public void ASecondRunKeepsEverythingAndChangesMakeItAnew()
    {
        (int kept, int written) = Build();
        Assert.Equal(0, kept);
        Assert.Equal((written, 0), Build());
        Assert.Equal((written, 0), Build(Options with { Threads = 1 }));
        // A corpus that moved is the same corpus; one of another name, content, option or tokenizer is not.
        string moved = Path.Combine(_corpus.Root, "moved", "a.jsonl.gz");
        Directory.CreateDirectory(Path.GetDirectoryName(moved)!);
        File.Copy(_source, moved);
        Assert.Equal((written, 0), Of(_corpus.Build(moved, Options)));
        Assert.Equal(0, Build(Options with { EndWithEos = false }).Kept);
        Assert.Equal(0, Build().Kept);
        File.WriteAllBytes(moved, [.. File.ReadAllBytes(moved), .. File.ReadAllBytes(moved)]);
        Assert.Equal((0, 2 * written), Round(Of(_corpus.Build(moved, Options)), written));
        string renamed = _corpus.Write("b.jsonl", ["x"]);
        Assert.Equal((0, 1), Of(_corpus.Build(renamed, Options)));
        Assert.Single(Corpus.Bytes(_corpus.Shards));
        TokenShardResult other = TokenShards.Build([renamed], ByteLevelTokenizer.Create(601), _corpus.Shards, Options, null, TestContext.Current.CancellationToken);
        other.Shards.Dispose();
        Assert.Equal((0, 1), Of(other));
    }

    [Fact]
    public void WhatAKilledRunLeavesIsGoneOnWith()
    {
        string killed = Path.Combine(_corpus.Root, "killed");
        int moments = 0;
        // The folder as it lies on disk at a moment is what a kill at that moment leaves.
        List<(string Folder, int Shards)> snapshots = [];
        Report progress = new(value =>
        {
            if (value.Stage != "tokenize" || ++moments % 7 != 0)
                return;
            string copy = $"{killed}{moments}";
            Directory.CreateDirectory(copy);
            foreach (string file in Directory.GetFiles(killed, "shard-*"))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            // The locked file cannot be copied; what it holds must not matter.
            foreach (string file in Directory.GetFiles(killed, ".shard-*"))
                File.WriteAllBytes(Path.Combine(copy, Path.GetFileName(file)), new byte[100]);
            snapshots.Add((copy, Directory.GetFiles(copy, "shard-*").Length));
        });
        _corpus.Build(_source, Options, killed, progress).Shards.Dispose();
        List<byte[]> whole = Corpus.Bytes(killed);
        Assert.Contains(snapshots, snapshot => Directory.GetFiles(snapshot.Folder, ".shard-*").Length == 1);
        foreach ((string folder, int shards) in snapshots)
        {
            if (shards < whole.Count)
                Assert.Throws<InvalidInputException>(() => TokenShards.Open(folder));
            Assert.Equal((shards, whole.Count - shards), Build(Options, folder));
            Assert.Equal(whole, Corpus.Bytes(folder));
            Assert.Empty(Directory.GetFiles(folder, ".shard-*"));
        }
    }

    [Fact]
    public void ACancelledRunLeavesFinishedShardsOnly()
    {
        Build(Options, Path.Combine(_corpus.Root, "whole"));
        List<byte[]> whole = Corpus.Bytes(Path.Combine(_corpus.Root, "whole"));
        for (int after = 1; after < 200; after += 37)
        {
            using CancellationTokenSource stop = new();
            int reports = 0;
            Report progress = new(value =>
            {
                if (value.Stage == "tokenize" && ++reports == after)
                    stop.Cancel();
            });
            try
            {
                TokenShards.Build([_source], Corpus.Tokenizer, _corpus.Shards, Options, progress, stop.Token).Shards.Dispose();
            }
            catch (OperationCanceledException)
            {
                Assert.Empty(Directory.GetFiles(_corpus.Shards, ".shard-*"));
            }
        }

        Build();
        Assert.Equal(whole, Corpus.Bytes(_corpus.Shards));
    }

    [Fact]
    public void DamageIsNamedAndMended()
    {
        int written = Build().Written;
        List<byte[]> whole = Corpus.Bytes(_corpus.Shards);
        string third = Path.Combine(_corpus.Shards, "shard-00003.tokens");
        foreach (Func<byte[], byte[]> damage in new Func<byte[], byte[]>[]
        {
            bytes => bytes[..(bytes.Length / 2)], bytes => bytes[..100], _ => [], bytes => [.. bytes, 0],
            bytes => Flip(bytes, 500), bytes => Flip(bytes, 30), bytes => Flip(bytes, bytes.Length - 1), bytes => Flip(bytes, bytes.Length - 14),
        })
        {
            File.WriteAllBytes(third, damage(whole[3]));
            Assert.Equal(third, Assert.Throws<InvalidInputException>(() => TokenShards.Open(_corpus.Shards)).Input);
            TokenShardResult result = _corpus.Build(_source, Options);
            result.Shards.Dispose();
            Assert.Equal((3, written - 3), Of(result));
            Assert.StartsWith(third, result.Damage, StringComparison.Ordinal);
            Assert.Equal(whole, Corpus.Bytes(_corpus.Shards));
        }

        File.Copy(Path.Combine(_corpus.Shards, "shard-00002.tokens"), third, overwrite: true);
        Assert.Equal(third, Assert.Throws<InvalidInputException>(() => TokenShards.Open(_corpus.Shards)).Input);
        File.Delete(third);
        Assert.Equal(third, Assert.Throws<InvalidInputException>(() => TokenShards.Open(_corpus.Shards)).Input);
        Assert.Equal(3, Build().Kept);
    }

    [Fact]
    public void AFullDiskIsSaidAndLeavesWholeShards()
    {
        int opened = 0;
        TokenShardBuilder builder = new(Corpus.Tokenizer, _corpus.Shards, Options, null, TestContext.Current.CancellationToken)
        {
            OpenShard = stream => ++opened == 3 ? new FullDisk(stream) : stream,
        };
        InvalidInputException e = Assert.Throws<InvalidInputException>(() => builder.Build([_source]));
        Assert.Contains("No space left on device", e.Message, StringComparison.Ordinal);
        Assert.EndsWith("shard-00002.tokens", e.Input, StringComparison.Ordinal);
        Assert.Equal(["shard-00000.tokens", "shard-00001.tokens"], Directory.GetFiles(_corpus.Shards).Select(Path.GetFileName).Where(name => name != ".lock").Order());
        Assert.Equal(2, Build().Kept);
    }

    [Fact]
    public void TwoRunsDoNotShareAFolder()
    {
        InvalidInputException? e = null;
        Report progress = new(_ => e ??= Assert.Throws<InvalidInputException>(() => Build()));
        _corpus.Build(_source, Options, null, progress).Shards.Dispose();
        Assert.Equal(".lock", e!.Field);
    }

    [Fact]
    public void ProgressEndsAtTheWhole()
    {
        List<TokenShardProgress> reports = [];
        using TokenShards shards = _corpus.Build(_source, Options, null, new Report(reports.Add)).Shards;
        long size = new FileInfo(_source).Length;
        Assert.All(reports, report => Assert.Equal(size, report.TotalBytes));
        Assert.Equal(("tokenize", size, shards.Tokens), (reports[^1].Stage, reports[^1].Bytes, reports[^1].Tokens));
        Assert.Equal(TimeSpan.Zero, reports[^1].TimeLeft);
        Assert.Equal(reports.OrderBy(report => report.Stage).ThenBy(report => report.Tokens).ThenBy(report => report.Bytes), reports);
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        byte[] damaged = [.. bytes];
        damaged[at] ^= 4;
        return damaged;
    }

    private (int Kept, int Written) Build(TokenShardOptions? options = null, string? folder = null)
    {
        TokenShardResult result = _corpus.Build(_source, options ?? Options, folder);
        result.Shards.Dispose();
        return Of(result);
    }

    private static (int Kept, int Written) Of(TokenShardResult result)
    {
        result.Shards.Dispose();
        return (result.Kept, result.Written);
    }

    // Twice the documents are twice the shards, give or take the unfilled last one.
    private static (int, int) Round((int Kept, int Written) counts, int unit) => (counts.Kept, Math.Abs(counts.Written - (2 * unit)) <= 1 ? 2 * unit : counts.Written);

    private sealed class Report(Action<TokenShardProgress> report) : IProgress<TokenShardProgress>
    {
        void IProgress<TokenShardProgress>.Report(TokenShardProgress value) => report(value);
    }

    private sealed class FullDisk(Stream stream) : Stream
    {
        private long _room = 2000;

        public override bool CanRead => false;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => stream.Length;

        public override long Position { get => stream.Position; set => stream.Position = value; }

        public override void Flush() => stream.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => stream.Seek(offset, origin);

        public override void SetLength(long value) => stream.SetLength(value);

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if ((_room -= buffer.Length) < 0)
                throw new IOException("No space left on device");
            stream.Write(buffer);
        }
    }
}
