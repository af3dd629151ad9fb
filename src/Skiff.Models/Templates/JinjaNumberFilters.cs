using System.Globalization;
using System.Numerics;

namespace Skiff.Models;

/// <summary>The filters on numbers and the conversions to them.</summary>
internal static class JinjaNumberFilters
{
    private const int LongestNumber = 4300;
    private static readonly string[] Prefixes = ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

    public static JinjaFunctionTable Table { get; } = new()
    {
        { "abs", "/", Absolute },
        { "int", "default? base?", ToInteger },
        { "float", "default?", ToFloat },
        { "round", "precision? method?", Round },
        { "filesizeformat", "binary?", FileSize },
    };

    private static object Absolute(JinjaCall call)
    {
        object number = Number(call);
        return number is double value ? Math.Abs(value) : JinjaNumbers.Compare(number, 0L) < 0 ? JinjaNumbers.Negate(call.Runtime, number) : number;
    }

    private static object Number(JinjaCall call)
    {
        JinjaOperators.Refuse(call.Runtime, call.Self);
        return JinjaNumbers.IsNumber(call.Self) ? call.Self is bool flag ? flag ? 1L : 0L : call.Self! : throw call.Fail($"asks for a number, not a {JinjaTypes.Name(call.Self)}");
    }

    private static object? ToInteger(JinjaCall call)
    {
        JinjaOperators.Refuse(call.Runtime, call.Self);
        object? fallback = call.Value(0, 0L);
        if (JinjaTypes.TryText(call.Self, out string text))
        {
            long radix = call.Integer(1, 10);
            if (radix is not 0 and (< 2 or > 36))
                throw call.Fail("asks for a base of 0 or from 2 to 36");
            if (TryParseInteger(text, (int)radix, out BigInteger parsed))
                return call.Runtime.Integer(parsed);
            return TryParseFloat(text, out double number) && double.IsFinite(number) ? call.Runtime.Integer(new BigInteger(Math.Truncate(number))) : fallback;
        }

        if (call.Self is double value)
        {
            if (double.IsInfinity(value))
                throw call.Fail("cannot convert an infinite number");
            return double.IsNaN(value) ? fallback : call.Runtime.Integer(new BigInteger(Math.Truncate(value)));
        }

        return JinjaNumbers.TryInteger(call.Self, out BigInteger integer) ? call.Runtime.Integer(integer) : fallback;
    }

    private static object? ToFloat(JinjaCall call)
    {
        JinjaOperators.Refuse(call.Runtime, call.Self);
        if (JinjaTypes.TryText(call.Self, out string text))
            return TryParseFloat(text, out double number) ? number : call.Value(0, 0.0);
        return JinjaNumbers.IsNumber(call.Self) ? JinjaNumbers.ToDouble(call.Runtime, call.Self!) : call.Value(0, 0.0);
    }

    private static bool TryParseInteger(string text, int radix, out BigInteger value)
    {
        value = default;
        string digits = JinjaStringCuts.Strip(text, null, start: true, end: true);
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
            digits = digits[1..];
        int prefixed = digits.Length > 1 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefixed != 0 && (radix == prefixed || radix == 0))
        {
            radix = prefixed;
            digits = digits[2..];
            digits = digits.StartsWith('_') ? digits[1..] : digits;
        }
        else if (radix == 0)
        {
            radix = 10;
            if (digits.Length > 1 && digits[0] == '0' && digits.Any(c => c is not ('0' or '_')))
                return false;
        }

        if (!TryDropUnderscores(digits, out digits) || digits.Length is 0 or > LongestNumber)
            return false;
        foreach (char c in digits)
        {
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= radix)
                return false;
            value = (value * radix) + digit;
        }

        value = negative ? -value : value;
        return true;
    }

    private static bool TryParseFloat(string text, out double value)
    {
        string digits = JinjaStringCuts.Strip(text, null, start: true, end: true);
        string word = digits.TrimStart('+', '-').ToLowerInvariant();
        if (word is "inf" or "infinity" or "nan" && digits.Length - word.Length <= 1)
        {
            value = word == "nan" ? double.NaN : digits[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        value = 0;
        return TryDropUnderscores(digits, out digits) && digits.Length <= LongestNumber && digits.All(c => char.IsAsciiDigit(c) || c is '.' or 'e' or 'E' or '+' or '-')
            && double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    // An underscore may stand only between digits.
    private static bool TryDropUnderscores(string digits, out string dropped)
    {
        dropped = digits.Replace("_", "", StringComparison.Ordinal);
        for (int i = 0; i < digits.Length; i++)
        {
            if (digits[i] == '_' && (i == 0 || i == digits.Length - 1 || !char.IsAsciiLetterOrDigit(digits[i - 1]) || !char.IsAsciiLetterOrDigit(digits[i + 1])))
                return false;
        }

        return true;
    }

    private static object Round(JinjaCall call)
    {
        string method = call.Text(1, "common");
        if (method is not ("common" or "ceil" or "floor"))
            throw call.Fail("knows the methods common, ceil and floor");
        object number = Number(call);
        bool toInteger = call.Has(0) && call.Value(0) is null && method == "common";
        long precision = toInteger ? 0 : call.Integer(0);
        if (Math.Abs(precision) > 400)
            throw call.Fail("asks for a precision of at most 400");
        if (method != "common")
        {
            object scale = JinjaNumbers.Apply(call.Runtime, "**", 10L, precision);
            object scaled = JinjaNumbers.Apply(call.Runtime, "*", number, scale);
            if (scaled is double value)
                scaled = double.IsFinite(value) ? call.Runtime.Integer(new BigInteger(method == "ceil" ? Math.Ceiling(value) : Math.Floor(value))) : throw call.Fail("cannot round an infinite number");
            return JinjaNumbers.Apply(call.Runtime, "/", scaled, scale);
        }

        if (JinjaNumbers.TryInteger(number, out BigInteger integer))
        {
            BigInteger unit = precision < 0 ? BigInteger.Pow(10, (int)-precision) : 1;
            return call.Runtime.Integer(JinjaFloats.RoundHalfEven(integer, unit) * unit);
        }

        double exact = (double)number;
        if (!double.IsFinite(exact))
            return toInteger ? throw call.Fail("cannot round an infinite number") : exact;
        BigInteger rounded = JinjaFloats.Scaled(exact, (int)precision);
        if (toInteger)
            return call.Runtime.Integer(rounded);
        // Parsing the decimal text gives the nearest double, as Python's round does.
        string text = string.Create(CultureInfo.InvariantCulture, $"{rounded}e{-precision}");
        return Math.CopySign(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture), exact);
    }

    private static object FileSize(JinjaCall call)
    {
        bool binary = call.Truth(0);
        double size = JinjaTypes.TryText(call.Self, out string text)
            ? TryParseFloat(text, out double parsed) ? parsed : throw call.Fail("asks for a number") : JinjaNumbers.ToDouble(call.Runtime, Number(call));
        double unit = binary ? 1024 : 1000;
        if (size == 1)
            return "1 Byte";
        if (size < unit)
            return double.IsFinite(size) ? string.Create(CultureInfo.InvariantCulture, $"{new BigInteger(Math.Truncate(size))} Bytes") : throw call.Fail("asks for a finite number");
        int i = 0;
        double limit = unit * unit;
        for (; i < Prefixes.Length - 1 && size >= limit; i++)
            limit *= unit;
        double shown = unit * size / limit;
        string prefix = binary ? Prefixes[i].ToUpperInvariant().Replace("B", "iB", StringComparison.Ordinal) : Prefixes[i];
        return $"{(double.IsFinite(shown) ? JinjaFloats.Fixed(shown, 1) : JinjaFloats.Repr(shown))} {prefix}";
    }
}
