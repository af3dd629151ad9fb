using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// SentencePiece's compiled character map: a double-array trie (Aoe 1989, as Darts-clone lays it out) from byte strings to
/// offsets of their replacements. At each place the longest entry applies.
/// </summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private readonly byte[] _charsMap;
    private readonly uint[] _trie;
    private readonly int _texts;
    private readonly string _source;

    /// <summary>Checks a character map: four bytes of trie size, the trie, then texts that each end with a zero.</summary>
    /// <exception cref="InvalidInputException">The sizes do not fit the bytes.</exception>
    public PrecompiledNormalizer(byte[] charsMap, string source, string field)
    {
        _charsMap = charsMap;
        _source = source;
        uint size = charsMap.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(charsMap) : uint.MaxValue;
        if (size > charsMap.Length - 4 || size % 4 != 0 || size == 0)
            throw new InvalidInputException(source, field, "the character map's trie does not fit its bytes");
        _trie = new uint[size / 4];
        for (int i = 0; i < _trie.Length; i++)
            _trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(charsMap.AsSpan(4 + (4 * i)));
        _texts = 4 + (int)size;
    }

    /// <summary>The map as SentencePiece stores it.</summary>
    public ReadOnlySpan<byte> CharsMap => _charsMap;

    /// <summary>Reads the base64 of <c>tokenizer.json</c>.</summary>
    public static new PrecompiledNormalizer Read(JsonField node)
    {
        JsonField map = node.Get("precompiled_charsmap");
        string text = map.Text();
        byte[] bytes = new byte[(text.Length / 4 * 3) + 3];
        return Convert.TryFromBase64String(text, bytes, out int count)
            ? new PrecompiledNormalizer(bytes[..count], node.Source, map.Path)
            : throw map.Refuse("is not base64");
    }

    /// <inheritdoc/>
    public override string Apply(string text)
    {
        ReadOnlySpan<byte> bytes = Encoding.UTF8.GetBytes(text);
        List<byte> result = new(bytes.Length);
        while (bytes.Length > 0)
        {
            int used = Longest(bytes, out int value);
            if (used > 0)
            {
                ReadOnlySpan<byte> tail = _charsMap.AsSpan(_texts + value);
                // A replacement as long as a page would let a short text fill the memory.
                int end = tail[..Math.Min(tail.Length, AddedToken.LongestContent)].IndexOf((byte)0);
                if (end < 0)
                    throw new InvalidInputException(_source, "precompiled_charsmap", "a replacement does not end");
                result.AddRange(tail[..end]);
            }
            else
            {
                Rune.DecodeFromUtf8(bytes, out _, out used);
                result.AddRange(bytes[..used]);
            }

            bytes = bytes[used..];
        }

        return Encoding.UTF8.GetString([.. result]);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "Precompiled");
        json.WriteString("precompiled_charsmap", Convert.ToBase64String(_charsMap));
        json.WriteEndObject();
    }

    // A unit holds a label (bits 0-7), whether a value hangs below (bit 8), and the offset of its children (bit 9: times 256).
    private int Longest(ReadOnlySpan<byte> text, out int value)
    {
        int length = 0;
        value = 0;
        uint node = Offset(_trie[0]);
        for (int i = 0; i < text.Length; i++)
        {
            // The zero byte ends keys; it labels no edge.
            node ^= text[i];
            if (text[i] == 0 || node >= _trie.Length)
                break;
            uint unit = _trie[node];
            if ((unit & 0x800000FF) != text[i])
                break;
            node ^= Offset(unit);
            if (((unit >> 8) & 1) == 0)
                continue;
            if (node >= _trie.Length || (_trie[node] & 0x7FFFFFFF) >= (uint)(_charsMap.Length - _texts))
                break;
            value = (int)(_trie[node] & 0x7FFFFFFF);
            length = i + 1;
        }

        // A broken map must not leave half a character.
        while (length > 0 && length < text.Length && (text[length] & 0xC0) == 0x80)
            length--;
        return length;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1u << 9)) >> 6);
}
