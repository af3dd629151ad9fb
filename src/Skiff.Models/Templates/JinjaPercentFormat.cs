using System.Numerics;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>The <c>%</c> operator of a text: printf-style formatting.</summary>
internal static class JinjaPercentFormat
{
    private const int Largest = 2_000;

    public static string Apply(JinjaRuntime runtime, string format, object? arguments, bool escape)
    {
        object?[] values = arguments is JinjaList { IsTuple: true } tuple ? tuple.Items : [arguments];
        JinjaDict? mapping = arguments as JinjaDict;
        int next = 0;
        StringBuilder text = new();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                text.Append(format[at]);
                continue;
            }

            object? Take() => next < values.Length ? values[next++] : throw runtime.Fail("there are not enough arguments for the format text");
            at = Conversion(runtime, format, at + 1, mapping, Take, escape, text);
            runtime.Step();
            if (text.Length > runtime.Options.MaxOutput)
                runtime.Reserve(text.Length);
        }

        // A single argument that could be a mapping may stay unused.
        bool isMappingLike = arguments is JinjaList { IsTuple: false } or JinjaRange or JinjaUndefined or JinjaDict;
        if (next < values.Length && !(isMappingLike && next == 0))
            throw runtime.Fail("not all arguments were used by the format text");
        return runtime.Text(text.ToString());
    }

    private static int Conversion(JinjaRuntime runtime, string format, int at, JinjaDict? mapping, Func<object?> take, bool escape, StringBuilder text)
    {
        object? named = null;
        bool isNamed = at < format.Length && format[at] == '(';
        if (isNamed)
        {
            int depth = 1;
            int end = at + 1;
            for (; end < format.Length && depth > 0; end++)
                depth += format[end] == '(' ? 1 : format[end] == ')' ? -1 : 0;
            if (depth > 0 || mapping is null)
                throw runtime.Fail(mapping is null ? "the format text asks for a dict" : "a name in the format text has no ')'");
            string key = format[(at + 1)..(end - 1)];
            if (!mapping.TryGet(key, out named))
                throw runtime.Fail($"there is no argument '{key}' for the format text");
            at = end;
        }

        string flags = "";
        for (; at < format.Length && "-+ #0".Contains(format[at], StringComparison.Ordinal); at++)
            flags += flags.Contains(format[at]) ? "" : format[at];
        int width = Number(runtime, format, ref at, take);
        if (width < 0)
            (flags, width) = (flags + "-", -width);
        int precision = -1;
        if (at < format.Length && format[at] == '.')
        {
            at++;
            precision = Math.Max(0, Number(runtime, format, ref at, take));
        }

        if (at < format.Length && format[at] is 'h' or 'l' or 'L')
            at++;
        if (at >= format.Length)
            throw runtime.Fail("the format text ends inside a conversion");
        char type = format[at];
        if (type == '%')
        {
            text.Append('%');
            return at;
        }

        object? value = isNamed ? named : take();
        text.Append(Format(runtime, value, type, flags, width, precision, escape));
        return at;
    }

    private static int Number(JinjaRuntime runtime, string format, ref int at, Func<object?> take)
    {
        if (at < format.Length && format[at] == '*')
        {
            at++;
            return take() is long given ? Math.Abs(given) <= Largest ? (int)given : throw TooWide(runtime) : throw runtime.Fail("'*' asks for an integer");
        }

        int number = 0;
        for (; at < format.Length && char.IsAsciiDigit(format[at]); at++)
        {
            number = (number * 10) + (format[at] - '0');
            if (number > Largest)
                throw TooWide(runtime);
        }

        return number;
    }

    private static InvalidInputException TooWide(JinjaRuntime runtime) => runtime.Fail($"a width or precision over {Largest}");

    private static string Format(JinjaRuntime runtime, object? value, char type, string flags, int width, int precision, bool escape)
    {
        char align = flags.Contains('-') ? '<' : '>';
        if (type is 's' or 'r' or 'a' or 'c')
        {
            string text = type switch
            {
                's' => JinjaRepr.Str(runtime, value),
                'c' => Character(runtime, value),
                'r' => JinjaRepr.Repr(runtime, value),
                _ => throw runtime.Fail("the conversion '%a' is not supported"),
            };
            if (escape && value is not JinjaMarkup)
                text = JinjaText.Escape(text);
            text = precision >= 0 && type != 'c' ? JinjaText.Substring(text, 0, precision) : text;
            string padding = new(' ', Math.Max(0, width - JinjaText.Length(text)));
            return align == '<' ? text + padding : padding + text;
        }

        if (!"diouxXeEfFgG".Contains(type, StringComparison.Ordinal))
            throw runtime.Fail($"'%{type}' is no conversion");
        JinjaOperators.Refuse(runtime, value);
        if (!JinjaNumbers.IsNumber(value))
            throw runtime.Fail($"'%{type}' asks for a number, not a {JinjaTypes.Name(value)}");
        char sign = flags.Contains('+') ? '+' : flags.Contains(' ') ? ' ' : '-';
        bool zeros = flags.Contains('0') && align == '>';
        JinjaFormatSpec spec = new(zeros ? "0" : " ", zeros ? '=' : align, sign, flags.Contains('#'), width, '\0', -1, type is 'i' or 'u' ? 'd' : type);
        if (!"diouxX".Contains(type, StringComparison.Ordinal))
            return (spec with { Precision = precision }).FormatNumber(runtime, JinjaNumbers.ToDouble(runtime, value!));
        if (value is double number)
        {
            if (type is 'o' or 'x' or 'X' || !double.IsFinite(number))
                throw runtime.Fail($"'%{type}' asks for an integer");
            value = runtime.Integer(new BigInteger(Math.Truncate(number)));
        }

        if (precision < 0)
            return spec.FormatNumber(runtime, value!);
        // A precision of an integer is its least number of digits.
        string digits = (spec with { Width = 0, Sign = '-', Alternate = false }).FormatNumber(runtime, value!);
        bool negative = digits.StartsWith('-');
        digits = digits.TrimStart('-').PadLeft(precision, '0');
        string signed = (negative ? "-" : sign == '-' ? "" : sign.ToString()) + (flags.Contains('#') && type != 'd' ? "0" + type : "") + digits;
        return align == '<' ? signed.PadRight(width) : zeros ? signed.PadLeft(width, '0') : signed.PadLeft(width);
    }

    private static string Character(JinjaRuntime runtime, object? value)
    {
        if (JinjaTypes.TryText(value, out string text) && JinjaText.Length(text) == 1)
            return text;
        if (value is long number && number is >= 0 and <= 0x10FFFF)
            return number is >= 0xD800 and < 0xE000 ? ((char)number).ToString() : char.ConvertFromUtf32((int)number);
        throw runtime.Fail("'%c' asks for one character or its number");
    }
}
