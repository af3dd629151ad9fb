using System.Buffers.Binary;
using System.Security.Cryptography;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// The first 192 bytes of a shard file, little-endian; behind them lie the ids (16 or 32 bits each, padded to 8 bytes), where
/// the header says so a bit a token, lowest first (padded to 8 bytes), set where the token is the loss's to ask for, and 16
/// bytes a document: where it ends in tokens (64 bits), the bytes of its text, and the upper 32 bits of its text's hash.
/// </summary>
internal sealed record ShardHeader
{
    /// <summary>Bytes of the header.</summary>
    public const int Size = 192;

    /// <summary>Bytes of a document's entry.</summary>
    public const int EntrySize = 16;

    private const uint Version = 2;
    private const uint Masked = 1;
    private const int CheckAt = 160;

    /// <summary>Bytes an id: 2 where every id of the vocabulary fits, else 4.</summary>
    public int IdWidth => VocabularySize <= 1 << 16 ? 2 : 4;

    /// <summary>Largest id plus one.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The shard's place in its set.</summary>
    public required int Index { get; init; }

    /// <summary>Whether the set ends here.</summary>
    public required bool IsLast { get; init; }

    /// <summary>Whether only some tokens are the loss's to ask for; else all are, and there are no bits.</summary>
    public required bool IsMasked { get; init; }

    /// <summary>How many documents the shards before this one hold.</summary>
    public required long FirstDocument { get; init; }

    /// <summary>Documents in this shard.</summary>
    public required int Documents { get; init; }

    /// <summary>Tokens in this shard.</summary>
    public required int Tokens { get; init; }

    /// <summary>UTF-8 bytes of the documents' text.</summary>
    public required long TextBytes { get; init; }

    /// <summary>SHA-256 of everything the set is made from; see <see cref="ShardKey"/>.</summary>
    public required ReadOnlyMemory<byte> Key { get; init; }

    /// <summary>SHA-256 of the tokenizer.</summary>
    public required ReadOnlyMemory<byte> Tokenizer { get; init; }

    /// <summary>SHA-256 of everything behind the header.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>Where the bits begin.</summary>
    public int MaskAt => (int)MaskStart(Tokens, IdWidth);

    /// <summary>Where the documents' entries begin.</summary>
    public int TableAt => (int)TableStart(Tokens, IdWidth, IsMasked);

    private static ReadOnlySpan<byte> Magic => "SkiffTok"u8;

    /// <summary>The bytes of a shard with so many tokens and documents.</summary>
    public static long FileLength(long tokens, long documents, int idWidth, bool isMasked) => TableStart(tokens, idWidth, isMasked) + (documents * EntrySize);

    /// <summary>Reads a header; <paramref name="fileLength"/> must be what it promises.</summary>
    /// <exception cref="InvalidInputException">The file is no shard, was cut short or is damaged.</exception>
    public static ShardHeader Parse(ReadOnlySpan<byte> bytes, long fileLength, string source)
    {
        if (bytes.Length < Size)
            throw new InvalidInputException(source, "header", $"cut short: {bytes.Length} of {Size} bytes");
        if (!bytes.StartsWith(Magic))
            throw new InvalidInputException(source, "header", "not a token shard");
        if (U32(bytes, 8) != Version)
            throw new InvalidInputException(source, "version", $"{U32(bytes, 8)} is not {Version}: build the shards anew");
        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes[CheckAt..]) != Checksum(bytes) || bytes[(CheckAt + 8)..Size].ContainsAnyExcept((byte)0))
            throw new InvalidInputException(source, "header", "damaged: its checksum differs");

        uint width = U32(bytes, 12), vocabulary = U32(bytes, 16), index = U32(bytes, 20), last = U32(bytes, 24), flags = U32(bytes, 28);
        ulong first = U64(bytes, 32), documents = U64(bytes, 40), tokens = U64(bytes, 48), text = U64(bytes, 56);
        if (vocabulary is 0 or > int.MaxValue || index > int.MaxValue || last > 1 || flags > Masked || first > long.MaxValue / 2 || text > long.MaxValue / 2)
            throw new InvalidInputException(source, "header", "holds impossible values");
        if (fileLength > int.MaxValue || documents > int.MaxValue || tokens > int.MaxValue)
            throw new InvalidInputException(source, "header", "larger than a shard can be");
        ShardHeader header = new()
        {
            VocabularySize = (int)vocabulary,
            Index = (int)index,
            IsLast = last == 1,
            IsMasked = flags == Masked,
            FirstDocument = (long)first,
            Documents = (int)documents,
            Tokens = (int)tokens,
            TextBytes = (long)text,
            Key = bytes[64..96].ToArray(),
            Tokenizer = bytes[96..128].ToArray(),
            Content = bytes[128..160].ToArray(),
        };
        if (width != header.IdWidth)
            throw new InvalidInputException(source, "id width", $"{width} bytes do not suit a vocabulary of {vocabulary}");
        long expected = FileLength(header.Tokens, header.Documents, header.IdWidth, header.IsMasked);
        if (expected != fileLength)
            throw new InvalidInputException(source, "length", fileLength < expected ? $"cut short: {fileLength} of {expected} bytes" : $"{fileLength} bytes instead of {expected}");
        return header;
    }

    /// <summary>Writes the header into <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        bytes = bytes[..Size];
        bytes.Clear();
        Magic.CopyTo(bytes);
        ReadOnlySpan<uint> words = [Version, (uint)IdWidth, (uint)VocabularySize, (uint)Index, IsLast ? 1u : 0, IsMasked ? Masked : 0];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(8 + (4 * i))..], words[i]);
        ReadOnlySpan<long> counts = [FirstDocument, Documents, Tokens, TextBytes];
        for (int i = 0; i < counts.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes[(32 + (8 * i))..], counts[i]);
        Key.Span.CopyTo(bytes[64..]);
        Tokenizer.Span.CopyTo(bytes[96..]);
        Content.Span.CopyTo(bytes[128..]);
        Seal(bytes);
    }

    /// <summary>Sets the checksum to what the bytes before it ask for.</summary>
    public static void Seal(Span<byte> bytes) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[CheckAt..], Checksum(bytes));

    private static ulong Checksum(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..CheckAt], hash);
        return U64(hash, 0);
    }

    private static long MaskStart(long tokens, int idWidth) => Size + (((tokens * idWidth) + 7) & ~7L);

    private static long TableStart(long tokens, int idWidth, bool isMasked) => MaskStart(tokens, idWidth) + (isMasked ? (tokens + 63) / 64 * 8 : 0);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
}
