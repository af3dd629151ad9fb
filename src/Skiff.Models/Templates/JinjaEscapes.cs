using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>The backslash escapes of a text literal, as Python's <c>unicode-escape</c> reads them.</summary>
internal static class JinjaEscapes
{
    public static string Unescape(JinjaRuntime runtime, string raw)
    {
        if (!raw.Contains('\\'))
            return raw;
        StringBuilder text = new(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            char c = raw[++i];
            if (SimpleEscapes.IndexOf(c, StringComparison.Ordinal) is int simple and >= 0)
                text.Append(SimpleValues[simple]);
            else if (c is >= '0' and <= '7')
                i = Octal(text, raw, i);
            else if (c is 'x' or 'u' or 'U')
                i = Hexadecimal(runtime, text, raw, i);
            else if (c == 'N')
                throw runtime.Fail("\\N escapes are not supported");
            else if (c >= 0x80)
                i = Other(text, raw, i);
            else if (c != '\n')
                text.Append('\\').Append(c);
        }

        return text.ToString();
    }

    private const string SimpleEscapes = "\\'\"abfnrtv";
    private const string SimpleValues = "\\'\"\a\b\f\n\r\t\v";

    private static int Octal(StringBuilder text, string raw, int at)
    {
        int value = 0;
        int end = at;
        while (end < raw.Length && end < at + 3 && raw[end] is >= '0' and <= '7')
            value = (value * 8) + (raw[end++] - '0');
        text.Append((char)value);
        return end - 1;
    }

    private static int Hexadecimal(JinjaRuntime runtime, StringBuilder text, string raw, int at)
    {
        int digits = raw[at] switch { 'x' => 2, 'u' => 4, _ => 8 };
        if (at + digits >= raw.Length || !raw.AsSpan(at + 1, digits).ContainsOnlyHex())
            throw runtime.Fail($"a \\{raw[at]} escape asks for {digits} hexadecimal digits");
        uint value = uint.Parse(raw.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (value > 0x10FFFF)
            throw runtime.Fail("a \\U escape is beyond the last character");
        if (value >= 0x10000)
            text.Append(char.ConvertFromUtf32((int)value));
        else
            text.Append((char)value);
        return at + digits;
    }

    // Jinja turns what is not ASCII into an escape first, so that a backslash before it escapes that backslash.
    private static int Other(StringBuilder text, string raw, int at)
    {
        bool pair = at + 1 < raw.Length && char.IsSurrogatePair(raw[at], raw[at + 1]);
        int point = pair ? char.ConvertToUtf32(raw[at], raw[at + 1]) : raw[at];
        if (point < 0x100)
            text.Append(CultureInfo.InvariantCulture, $"\\x{point:x2}");
        else if (point < 0x10000)
            text.Append(CultureInfo.InvariantCulture, $"\\u{point:x4}");
        else
            text.Append(CultureInfo.InvariantCulture, $"\\U{point:x8}");
        return pair ? at + 1 : at;
    }

    private static bool ContainsOnlyHex(this ReadOnlySpan<char> digits)
    {
        foreach (char digit in digits)
        {
            if (!char.IsAsciiHexDigit(digit))
                return false;
        }

        return true;
    }
}
