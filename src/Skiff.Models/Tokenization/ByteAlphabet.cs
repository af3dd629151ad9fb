using System.Globalization;

namespace Skiff.Models;

/// <summary>
/// GPT-2's printable stand-ins for the 256 bytes, so that a byte-level vocabulary can be written as text:
/// bytes that print stand for themselves, the other 68 become U+0100 and up (Radford et al. 2019, encoder.py).
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_chars = BuildChars();
    private static readonly short[] s_bytes = BuildBytes();

    /// <summary>The stand-in for each byte.</summary>
    public static ReadOnlySpan<char> Chars => s_chars;

    /// <summary>The byte that <paramref name="c"/> stands for, or -1.</summary>
    public static int ByteOf(char c) => c < s_bytes.Length ? s_bytes[c] : -1;

    /// <summary>The bytes a token's text stands for, or null where a character is outside the alphabet.</summary>
    public static byte[]? BytesOf(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[text.Length];
        for (int i = 0; i < text.Length; i++)
        {
            int value = ByteOf(text[i]);
            if (value < 0)
                return null;
            bytes[i] = (byte)value;
        }

        return bytes;
    }

    /// <summary>The stand-ins for a run of bytes.</summary>
    public static string TextOf(ReadOnlySpan<byte> bytes)
    {
        char[] text = new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
            text[i] = s_chars[bytes[i]];
        return new string(text);
    }

    /// <summary>SentencePiece's name for a single byte: <c>&lt;0x0A&gt;</c>.</summary>
    public static string FallbackName(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <summary>The byte named by <c>&lt;0xNN&gt;</c>, or -1.</summary>
    public static int FallbackByte(ReadOnlySpan<char> token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? value
            : -1;

    private static char[] BuildChars()
    {
        char[] chars = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            chars[b] = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)next++;
        return chars;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[s_chars[b]] = (short)b;
        return bytes;
    }
}
