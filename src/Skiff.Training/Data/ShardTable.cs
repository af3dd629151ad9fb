using System.Buffers.Binary;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>The documents of a shard: one entry each behind the ids.</summary>
internal static class ShardTable
{
    /// <summary>Where document <paramref name="index"/> ends, in tokens of the shard.</summary>
    public static int End(ReadOnlySpan<byte> table, int index) => (int)BinaryPrimitives.ReadInt64LittleEndian(table[(index * ShardHeader.EntrySize)..]);

    /// <summary>The UTF-8 bytes of its text.</summary>
    public static uint TextBytes(ReadOnlySpan<byte> table, int index) => BinaryPrimitives.ReadUInt32LittleEndian(table[((index * ShardHeader.EntrySize) + 8)..]);

    /// <summary>The hash of its text, of which the share that is held out is the lowest part.</summary>
    public static uint Hash(ReadOnlySpan<byte> table, int index) => BinaryPrimitives.ReadUInt32LittleEndian(table[((index * ShardHeader.EntrySize) + 12)..]);

    /// <summary>Writes an entry.</summary>
    public static void Write(Span<byte> entry, int end, uint textBytes, uint hash)
    {
        BinaryPrimitives.WriteInt64LittleEndian(entry, end);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], textBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], hash);
    }

    /// <summary>The document that holds a token: the first one that ends behind it.</summary>
    public static int DocumentAt(ReadOnlySpan<byte> table, int token)
    {
        int low = 0, high = table.Length / ShardHeader.EntrySize;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (End(table, middle) > token)
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }

    /// <summary>Checks that the documents follow each other and add up to what the header says.</summary>
    /// <exception cref="InvalidInputException">They do not.</exception>
    public static void Check(ReadOnlySpan<byte> table, ShardHeader header, string source)
    {
        long end = 0, text = 0;
        for (int i = 0; i < header.Documents; i++)
        {
            long next = BinaryPrimitives.ReadInt64LittleEndian(table[(i * ShardHeader.EntrySize)..]);
            if (next < end || next > header.Tokens)
                throw new InvalidInputException(source, $"document {i}", $"ends at token {next}, which lies outside {end} to {header.Tokens}");
            end = next;
            text += TextBytes(table, i);
        }

        if (end != header.Tokens || text != header.TextBytes)
            throw new InvalidInputException(source, "documents", $"hold {end} tokens and {text} bytes, not {header.Tokens} and {header.TextBytes}");
    }
}
