using System.Globalization;
using System.Numerics;

namespace Skiff.Models;

/// <summary>Python's format specification: fill, alignment, sign, width, grouping, precision and type.</summary>
internal sealed record JinjaFormatSpec(string Fill, char Align, char Sign, bool Alternate, int Width, char Grouping, int Precision, char Type)
{
    private const int Largest = 2_000;

    /// <summary>Formats a value as <c>format(value, spec)</c> does.</summary>
    public static string Apply(JinjaRuntime runtime, object? value, string spec)
    {
        if (spec.Length == 0)
            return JinjaRepr.Str(runtime, value);
        bool isText = JinjaTypes.TryText(value, out string text);
        if (!isText && !JinjaNumbers.IsNumber(value))
            throw runtime.Fail($"a {JinjaTypes.Name(value)} takes no format specification");
        JinjaFormatSpec parsed = Parse(runtime, spec);
        return isText ? parsed.FormatText(runtime, text) : parsed.FormatNumber(runtime, value!);
    }

    /// <summary>A number with sign and padding as <c>%</c> and <c>format</c> share them.</summary>
    public string FormatNumber(JinjaRuntime runtime, object value)
    {
        if (value is bool && Type == '\0')
            value = JinjaNumbers.TryInteger(value, out BigInteger flag) ? (long)flag : value;
        bool isInteger = JinjaNumbers.TryInteger(value, out BigInteger integer);
        if (Type == 's' || (!isInteger && "bcdoxX".Contains(Type, StringComparison.Ordinal)))
            throw runtime.Fail($"the format code '{Type}' is not for a {JinjaTypes.Name(value)}");
        if (isInteger && "bcdoxXn\0".Contains(Type, StringComparison.Ordinal))
        {
            if (Precision >= 0)
                throw runtime.Fail("a precision is not allowed for an integer");
            if (Type == 'c')
                return integer.Sign >= 0 && integer <= 0x10FFFF ? Pad(JinjaFormatSpec.Character((int)integer), "", '<') : throw runtime.Fail("no such character");
            return Finish(integer.Sign < 0, Digits(BigInteger.Abs(integer)), isFloat: false);
        }

        runtime.Step((long)Precision * Precision / 500);
        double number = JinjaNumbers.ToDouble(runtime, value);
        return Finish(double.IsNegative(number) && !double.IsNaN(number), Digits(Math.Abs(number)), isFloat: true);
    }

    private static JinjaFormatSpec Parse(JinjaRuntime runtime, string spec)
    {
        string[] points = [.. JinjaText.CodePoints(spec)];
        int at = 0;
        string fill = " ";
        char align = '\0';
        if (points.Length > 1 && points[1] is "<" or ">" or "^" or "=")
            (fill, align, at) = (points[0], points[1][0], 2);
        else if (points[0] is "<" or ">" or "^" or "=")
            (align, at) = (points[0][0], 1);
        char Peek() => at < points.Length && points[at].Length == 1 ? points[at][0] : '\0';
        char sign = Peek() is '+' or '-' or ' ' ? points[at++][0] : '-';
        bool alternate = Peek() == '#' && at++ >= 0;
        if (Peek() == '0')
        {
            at++;
            if (align == '\0')
                (fill, align) = ("0", '=');
        }

        int width = Number(runtime, points, ref at, 0);
        char grouping = Peek() is ',' or '_' ? points[at++][0] : '\0';
        int precision = -1;
        if (Peek() == '.')
        {
            at++;
            precision = char.IsAsciiDigit(Peek()) ? Number(runtime, points, ref at, 0) : throw runtime.Fail("the format specification has no precision after '.'");
        }

        char type = at < points.Length ? points[at++][0] : '\0';
        if (at < points.Length || !"bcdeEfFgGnosxX%\0".Contains(type, StringComparison.Ordinal))
            throw runtime.Fail($"'{spec}' is no format specification");
        return new(fill, align, sign, alternate, width, grouping, precision, type);
    }

    private static int Number(JinjaRuntime runtime, string[] points, ref int at, int fallback)
    {
        int value = fallback;
        for (; at < points.Length && points[at].Length == 1 && char.IsAsciiDigit(points[at][0]); at++)
        {
            value = (value * 10) + (points[at][0] - '0');
            if (value > Largest)
                throw runtime.Fail($"a width or precision over {Largest}");
        }

        return value;
    }

    private string FormatText(JinjaRuntime runtime, string text)
    {
        if (Type is not ('s' or '\0') || Align == '=' || Sign != '-' || Alternate || Grouping != '\0')
            throw runtime.Fail("the format specification is not for a text");
        return Pad(Precision >= 0 ? JinjaText.Substring(text, 0, Precision) : text, "", '<');
    }

    private static string Character(int value) => value is >= 0xD800 and < 0xE000 ? ((char)value).ToString() : char.ConvertFromUtf32(value);

    private string Digits(BigInteger magnitude) => Type switch
    {
        'b' => (Alternate ? "0b" : "") + Radix(magnitude, 1),
        'o' => (Alternate ? "0o" : "") + Radix(magnitude, 3),
        'x' => (Alternate ? "0x" : "") + Radix(magnitude, 4),
        'X' => (Alternate ? "0X" : "") + Radix(magnitude, 4).ToUpperInvariant(),
        _ => magnitude.ToString(CultureInfo.InvariantCulture),
    };

    private static string Radix(BigInteger magnitude, int bits)
    {
        if (magnitude.IsZero)
            return "0";
        int count = (int)((magnitude.GetBitLength() + bits - 1) / bits);
        char[] digits = new char[count];
        for (int i = count - 1; i >= 0; i--, magnitude >>= bits)
            digits[i] = "0123456789abcdef"[(int)(magnitude & ((1 << bits) - 1))];
        return new(digits);
    }

    private string Digits(double magnitude)
    {
        if (!double.IsFinite(magnitude))
            return (double.IsNaN(magnitude) ? "nan" : "inf") is var word && char.IsAsciiLetterUpper(Type) ? word.ToUpperInvariant() : word + (Type == '%' ? "%" : "");
        int precision = Precision < 0 ? 6 : Precision;
        string text = Type switch
        {
            'f' or 'F' => JinjaFloats.Fixed(magnitude, precision),
            'e' or 'E' => JinjaFloats.Exponential(magnitude, precision),
            '%' => double.IsInfinity(magnitude * 100) ? "inf%" : JinjaFloats.Fixed(magnitude * 100, precision) + "%",
            'g' or 'G' or 'n' => JinjaFloats.General(magnitude, precision, Alternate),
            _ when Precision < 0 => JinjaFloats.Repr(magnitude),
            _ => Shortened(magnitude),
        };
        if (Alternate && precision == 0 && Type is 'f' or 'F')
            text += ".";
        return Type is 'E' or 'G' or 'F' ? text.ToUpperInvariant() : text;
    }

    // No type with a precision is 'g' with at least one digit after the point.
    private string Shortened(double magnitude)
    {
        string text = JinjaFloats.General(magnitude, Precision, keepZeros: false);
        int exponent = magnitude == 0 ? 0 : (int)Math.Floor(Math.Log10(magnitude));
        if (exponent >= Precision - 1 && !text.Contains('e') && exponent >= 0 && Precision <= exponent + 1)
            return JinjaFloats.Exponential(magnitude, Math.Max(Precision, 1) - 1) is var e && e.Contains('.') ? e[..e.IndexOf('e', StringComparison.Ordinal)].TrimEnd('0').TrimEnd('.') + e[e.IndexOf('e', StringComparison.Ordinal)..] : e;
        return text.Contains('.') || text.Contains('e') ? text : text + ".0";
    }

    private string Finish(bool negative, string digits, bool isFloat)
    {
        string sign = negative ? "-" : Sign == '-' ? "" : Sign.ToString();
        string prefix = !isFloat && Alternate && "boxX".Contains(Type, StringComparison.Ordinal) ? digits[..2] : "";
        digits = digits[prefix.Length..];
        if (Grouping != '\0')
        {
            int group = !isFloat && "boxX".Contains(Type, StringComparison.Ordinal) ? 4 : 3;
            int whole = digits.TakeWhile(char.IsAsciiLetterOrDigit).TakeWhile(c => !isFloat || char.IsAsciiDigit(c)).Count();
            int room = Fill == "0" && Align == '=' ? Width - sign.Length - prefix.Length - (digits.Length - whole) : 0;
            digits = Group(digits[..whole], group, room) + digits[whole..];
        }

        return Pad(digits, sign + prefix, '>');
    }

    // Zeros that fill a grouped number are grouped too.
    private string Group(string digits, int size, int room)
    {
        while (digits.Length + ((digits.Length - 1) / size) < room)
            digits = "0" + digits;
        List<string> groups = [];
        for (int end = digits.Length; end > 0; end -= size)
            groups.Insert(0, digits[Math.Max(0, end - size)..end]);
        return string.Join(Grouping, groups);
    }

    private string Pad(string text, string sign, char defaultAlign)
    {
        int missing = Math.Max(0, Width - JinjaText.Length(text) - sign.Length);
        string Filled(int count) => string.Concat(Enumerable.Repeat(Fill, count));
        return (Align == '\0' ? defaultAlign : Align) switch
        {
            '<' => sign + text + Filled(missing),
            '^' => Filled(missing / 2) + sign + text + Filled(missing - (missing / 2)),
            '=' => sign + Filled(missing) + text,
            _ => Filled(missing) + sign + text,
        };
    }
}
