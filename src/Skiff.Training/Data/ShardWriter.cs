using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Streams documents into a shard file: ids as they come, their bits and entries behind them, the header last.</summary>
internal sealed class ShardWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly int _idWidth;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly MemoryStream _table = new();
    private readonly List<byte>? _mask;
    private ushort[] _narrow = new ushort[1024];
    private int _documents;
    private long _textBytes;

    /// <summary>Begins a shard in an empty stream that can seek.</summary>
    public ShardWriter(Stream stream, int idWidth, bool isMasked)
    {
        _stream = stream;
        _idWidth = idWidth;
        _mask = isMasked ? [] : null;
        // The header is not known yet: a file that ends here is no shard.
        _stream.Write(new byte[ShardHeader.Size]);
    }

    /// <summary>Tokens so far.</summary>
    public int Tokens { get; private set; }

    /// <summary>Documents so far.</summary>
    public int Documents => _documents;

    /// <summary>Appends a document; <paramref name="isTarget"/> has a value an id where the shard is masked, else none.</summary>
    /// <exception cref="InvalidInputException">The shard would no longer be addressable with 32 bits.</exception>
    public void Append(ReadOnlySpan<int> ids, ReadOnlySpan<bool> isTarget, uint textBytes, uint hash)
    {
        if (ShardHeader.FileLength((long)Tokens + ids.Length, _documents + 1, _idWidth, _mask is not null) > int.MaxValue)
            throw new InvalidInputException("document", $"{textBytes} bytes", $"its {ids.Length} tokens are more than a shard can hold: split it");
        if (_idWidth == 2)
        {
            if (_narrow.Length < ids.Length)
                _narrow = new ushort[Math.Max(ids.Length, 2 * _narrow.Length)];
            for (int i = 0; i < ids.Length; i++)
                _narrow[i] = (ushort)ids[i];
            Write(MemoryMarshal.AsBytes(_narrow.AsSpan(0, ids.Length)));
        }
        else
        {
            Write(MemoryMarshal.AsBytes(ids));
        }

        for (int i = 0; i < isTarget.Length; i++)
        {
            int at = Tokens + i;
            if (at % 8 == 0)
                _mask!.Add(0);
            _mask![at / 8] |= (byte)((isTarget[i] ? 1 : 0) << (at % 8));
        }

        Tokens += ids.Length;
        _documents++;
        _textBytes += textBytes;
        Span<byte> entry = stackalloc byte[ShardHeader.EntrySize];
        ShardTable.Write(entry, Tokens, textBytes, hash);
        _table.Write(entry);
    }

    /// <summary>Writes the entries, then the header: <paramref name="start"/> with the counts and the hash filled in.</summary>
    public ShardHeader Finish(ShardHeader start)
    {
        Span<byte> padding = stackalloc byte[8];
        padding.Clear();
        Write(padding[..(-Tokens * _idWidth & 7)]);
        if (_mask is not null)
        {
            Write(CollectionsMarshal.AsSpan(_mask));
            Write(padding[..(-_mask.Count & 7)]);
        }

        Write(_table.GetBuffer().AsSpan(0, (int)_table.Length));
        ShardHeader header = start with { Documents = _documents, Tokens = Tokens, TextBytes = _textBytes, Content = _hash.GetHashAndReset() };
        Span<byte> bytes = stackalloc byte[ShardHeader.Size];
        header.Write(bytes);
        _stream.Seek(0, SeekOrigin.Begin);
        _stream.Write(bytes);
        return header;
    }

    public void Dispose()
    {
        _hash.Dispose();
        _table.Dispose();
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        _stream.Write(bytes);
    }
}
