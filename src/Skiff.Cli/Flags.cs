using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Skiff.Cli;

/// <summary>Options the verbs share in form: strict about numbers, so that "0,5" is an error and not five.</summary>
internal static class Flags
{
    /// <summary>The model every verb reads.</summary>
    public static Argument<string> Model() => new("MODEL") { Description = "A model folder, or a .gguf or llama2.c .bin file." };

    /// <summary>Prints figures as JSON.</summary>
    public static Option<bool> Json(string description = "Print JSON, one object a line.") => new("--json") { Description = description };

    /// <summary>An optional text.</summary>
    public static Option<string?> Text(string name, string placeholder, string description) =>
        new(name) { Description = description, HelpName = placeholder };

    /// <summary>An optional whole number; null where it is not given.</summary>
    public static Option<int?> Whole(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            if (int.TryParse(Value(result), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number))
                return number;
            return Refuse<int>(result, name, "a whole number");
        },
    };

    /// <summary>An optional unsigned 64-bit number (a seed); null where it is not given.</summary>
    public static Option<ulong?> Unsigned(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            if (ulong.TryParse(Value(result), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
                return number;
            return Refuse<ulong>(result, name, "a whole number from 0 to 2^64 - 1");
        },
    };

    /// <summary>An optional finite number; null where it is not given.</summary>
    public static Option<double?> Real(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "X",
        CustomParser = result =>
        {
            if (double.TryParse(Value(result), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number))
                return number;
            return Refuse<double>(result, name, "a number");
        },
    };

    /// <summary>An optional number of bytes, with K, M or G for powers of 1,024; null where it is not given.</summary>
    public static Option<long?> Bytes(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = result =>
        {
            // 512MB is 512M.
            string text = Value(result);
            text = text.Length > 2 && char.ToUpperInvariant(text[^1]) == 'B' && !char.IsAsciiDigit(text[^2]) ? text[..^1] : text;
            int power = text.Length == 0 ? 0 : "KMG".IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) + 1;
            string digits = power > 0 ? text[..^1] : text;
            if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number is > 0 and <= 1L << 32)
                return number << (10 * power);
            return Refuse<long>(result, name, "a size such as 800M or 4G");
        },
    };

    private static string Value(ArgumentResult result) => result.Tokens[^1].Value;

    private static T? Refuse<T>(ArgumentResult result, string name, string wanted)
        where T : struct
    {
        result.AddError($"{name} takes {wanted}, not '{Value(result)}'");
        return null;
    }
}
