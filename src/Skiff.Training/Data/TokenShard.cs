using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>One shard file, mapped into memory. Its header and documents have been checked.</summary>
internal sealed class TokenShard : IDisposable
{
    private readonly MappedFile _file;

    private TokenShard(MappedFile file, ShardHeader header)
    {
        _file = file;
        Header = header;
    }

    /// <summary>What the file says of itself.</summary>
    public ShardHeader Header { get; }

    /// <summary>The documents' entries.</summary>
    public ReadOnlySpan<byte> Table => _file.Span(Header.TableAt, Header.Documents * ShardHeader.EntrySize);

    /// <summary>Maps a shard; with <paramref name="verify"/> every byte is hashed, about 1.5 GB a second.</summary>
    /// <exception cref="InvalidInputException">The file is absent, cut short or damaged.</exception>
    public static TokenShard Open(string path, bool verify)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            ShardHeader header = ShardHeader.Parse(file.Span(0, (int)Math.Min(file.Length, ShardHeader.Size)), file.Length, path);
            TokenShard shard = new(file, header);
            ShardTable.Check(shard.Table, header, path);
            if (verify && !SHA256.HashData(file.Span(ShardHeader.Size, (int)file.Length - ShardHeader.Size)).AsSpan().SequenceEqual(header.Content.Span))
                throw new InvalidInputException(path, "content", "damaged: its hash differs from the header's; delete the file and build the shards again");
            return shard;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies ids from <paramref name="start"/> on.</summary>
    public void Copy(int start, Span<int> ids)
    {
        int width = Header.IdWidth;
        ReadOnlySpan<byte> bytes = _file.Span(ShardHeader.Size + ((long)start * width), ids.Length * width);
        if (width == 2)
            TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ushort>(bytes), ids);
        else
            MemoryMarshal.Cast<byte, int>(bytes).CopyTo(ids);
    }

    /// <summary>Sets those of the ids from <paramref name="start"/> on that are not the loss's to ask for to <see cref="DataLoader.NoTarget"/>.</summary>
    public void Hide(int start, Span<int> targets)
    {
        if (!Header.IsMasked || targets.IsEmpty)
            return;
        int first = start / 8;
        ReadOnlySpan<byte> bits = _file.Span(Header.MaskAt + first, ((start + targets.Length + 7) / 8) - first);
        for (int i = 0; i < targets.Length; i++)
        {
            int at = start + i;
            if ((bits[(at / 8) - first] >> (at % 8) & 1) == 0)
                targets[i] = DataLoader.NoTarget;
        }
    }

    /// <summary>Where a document begins, in tokens of the shard.</summary>
    public int Start(int document) => document == 0 ? 0 : ShardTable.End(Table, document - 1);

    public void Dispose() => _file.Dispose();
}
