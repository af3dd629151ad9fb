using System.Globalization;
using System.Numerics;

namespace Skiff.Models;

/// <summary>Python's texts of floats: the shortest that reads back, and exact decimals rounded half to even.</summary>
internal static class JinjaFloats
{
    /// <summary>What <c>repr</c> prints.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0.0" : "0.0";
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        (string digits, int exponent) = Digits(shortest);
        string sign = value < 0 ? "-" : "";
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{fraction}e{Exponent(exponent)}";
        }

        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        return digits.Length <= exponent + 1
            ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    /// <summary>The exact value of a finite double, rounded half to even to this many decimals (possibly negative), times 10^decimals.</summary>
    public static BigInteger Scaled(double value, int decimals)
    {
        (BigInteger mantissa, int exponent) = Parts(value);
        BigInteger numerator = mantissa;
        BigInteger denominator = BigInteger.One;
        if (exponent > 0)
            numerator <<= exponent;
        else
            denominator <<= -exponent;
        if (decimals > 0)
            numerator *= BigInteger.Pow(10, decimals);
        else
            denominator *= BigInteger.Pow(10, -decimals);
        return RoundHalfEven(numerator, denominator);
    }

    /// <summary>The quotient of two integers (the second positive), rounded half to even.</summary>
    public static BigInteger RoundHalfEven(BigInteger numerator, BigInteger denominator)
    {
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(numerator), denominator, out BigInteger rest);
        int order = (rest * 2).CompareTo(denominator);
        if (order > 0 || (order == 0 && !quotient.IsEven))
            quotient += 1;
        return numerator.Sign < 0 ? -quotient : quotient;
    }

    /// <summary><c>%f</c> of a finite magnitude.</summary>
    public static string Fixed(double magnitude, int precision)
    {
        string digits = Scaled(magnitude, precision).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        return precision == 0 ? digits : $"{digits[..^precision]}.{digits[^precision..]}";
    }

    /// <summary><c>%e</c> of a finite magnitude.</summary>
    public static string Exponential(double magnitude, int precision)
    {
        (string digits, int exponent) = Rounded(magnitude, precision + 1);
        return $"{digits[0]}{(precision > 0 ? "." + digits[1..] : "")}e{Exponent(exponent)}";
    }

    /// <summary><c>%g</c> of a finite magnitude; zeros at the end stay only when asked for.</summary>
    public static string General(double magnitude, int precision, bool keepZeros)
    {
        precision = Math.Max(precision, 1);
        (string digits, int exponent) = Rounded(magnitude, precision);
        if (exponent >= -4 && exponent < precision)
            return Trim(Fixed(magnitude, precision - 1 - exponent), keepZeros);
        string mantissa = Trim(digits.Length > 1 ? $"{digits[0]}.{digits[1..]}" : digits, keepZeros);
        return $"{mantissa}e{Exponent(exponent)}";
    }

    private static string Trim(string text, bool keepZeros) =>
        keepZeros || !text.Contains('.') ? text : text.TrimEnd('0').TrimEnd('.');

    private static string Exponent(int exponent) =>
        (exponent < 0 ? "-" : "+") + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);

    // The first digits of the exact decimal expansion and the power of ten of the first one.
    private static (string Digits, int Exponent) Rounded(double magnitude, int count)
    {
        if (magnitude == 0)
            return (new string('0', count), 0);
        int exponent = (int)Math.Floor(Math.Log10(magnitude));
        string digits = Scaled(magnitude, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        // The logarithm may miss by one near a power of ten, and rounding up may add a digit.
        while (digits.Length != count)
        {
            exponent += digits.Length > count ? 1 : -1;
            digits = Scaled(magnitude, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        }

        return (digits, exponent);
    }

    private static (string Digits, int Exponent) Digits(string shortest)
    {
        string text = shortest.TrimStart('-');
        int exponent = 0;
        int e = text.IndexOf('E', StringComparison.Ordinal);
        if (e >= 0)
        {
            exponent = int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..e];
        }

        int point = text.IndexOf('.', StringComparison.Ordinal);
        exponent += (point < 0 ? text.Length : point) - 1;
        string digits = text.Replace(".", "", StringComparison.Ordinal);
        string stripped = digits.TrimStart('0');
        exponent -= digits.Length - stripped.Length;
        stripped = stripped.TrimEnd('0');
        return (stripped, exponent);
    }

    private static (BigInteger Mantissa, int Exponent) Parts(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        long mantissa = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0)
            exponent = 1;
        else
            mantissa |= 1L << 52;
        return (value < 0 ? -mantissa : mantissa, exponent - 1075);
    }
}
