using System.Globalization;
using System.Numerics;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Splits the inside of a tag into names, literals and operators.</summary>
internal sealed class JinjaTagLexer(JinjaRuntime runtime, string source, List<JinjaToken> tokens)
{
    private const int MostBrackets = 200;
    private const int MostDigits = 4300;
    private static readonly string[] LongOperators = ["//", "**", "==", "!=", ">=", "<="];
    private readonly Stack<char> _brackets = new();
    private int _line;

    /// <summary>Reads up to the end mark; returns its position and the one after it and the white space it eats.</summary>
    public int Read(int at, ref int line, bool isVariable, out int after)
    {
        _line = line;
        _brackets.Clear();
        while (true)
        {
            if (_brackets.Count == 0 && TryEnd(at, isVariable, out after))
            {
                line = _line;
                return at;
            }

            if (at >= source.Length)
                throw Fail(_brackets.Count > 0 ? $"a '{_brackets.Peek()}' is missing" : "the tag has no end");
            char c = source[at];
            if (JinjaText.IsSpace(c))
            {
                _line += c == '\n' ? 1 : 0;
                at++;
            }
            else if (char.IsAsciiDigit(c))
            {
                at = ReadNumber(at);
            }
            else if (IsNamePart(c))
            {
                at = ReadName(at);
            }
            else if (c is '\'' or '"')
            {
                at = ReadText(at);
            }
            else
            {
                at = ReadOperator(at);
            }
        }
    }

    private bool TryEnd(int at, bool isVariable, out int after)
    {
        string mark = isVariable ? "}}" : "%}";
        after = at;
        char first = at < source.Length ? source[at] : ' ';
        bool signed = first == '-' || (first == '+' && !isVariable);
        if (string.CompareOrdinal(source, at + (signed ? 1 : 0), mark, 0, 2) != 0)
            return false;
        after = at + (signed ? 3 : 2);
        if (first == '-')
        {
            while (after < source.Length && JinjaText.IsSpace(source[after]))
                after++;
        }
        else if (!signed && !isVariable && runtime.Options.TrimBlocks && after < source.Length && source[after] == '\n')
        {
            after++;
        }

        return true;
    }

    private int ReadNumber(int at)
    {
        int start = at;
        if (source[at] == '0' && at + 1 < source.Length && Radix(source[at + 1]) is int radix and not 0)
        {
            int end = Digits(at + 2, radix, leadingUnderscore: true);
            if (end > at + 2)
            {
                BigInteger value = BigInteger.Zero;
                foreach (char digit in source[(at + 2)..end].Replace("_", "", StringComparison.Ordinal))
                    value = (value * radix) + (char.IsAsciiDigit(digit) ? digit - '0' : char.ToLowerInvariant(digit) - 'a' + 10);
                Add(JinjaTokenKind.Number, source[start..end], runtime.Integer(value));
                return end;
            }
        }

        int whole = Digits(at, 10);
        bool afterDot = at > 0 && source[at - 1] == '.';
        int fraction = whole < source.Length && source[whole] == '.' ? Digits(whole + 1, 10) : whole;
        if (fraction == whole + 1)
            fraction = whole;
        int exponent = ExponentEnd(fraction);
        int last = exponent > fraction ? exponent : fraction;
        if (last > whole && !afterDot)
        {
            string text = source[start..last].Replace("_", "", StringComparison.Ordinal);
            Add(JinjaTokenKind.Number, text, double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
            return last;
        }

        // A zero begins no longer integer.
        if (source[at] == '0')
        {
            whole = at + 1;
            while (whole < source.Length && (source[whole] == '0' || (source[whole] == '_' && whole + 1 < source.Length && source[whole + 1] == '0')))
                whole++;
        }

        string digits = source[start..whole].Replace("_", "", StringComparison.Ordinal);
        if (digits.Length > MostDigits)
            throw Fail($"an integer of over {MostDigits} digits");
        Add(JinjaTokenKind.Number, digits, runtime.Integer(BigInteger.Parse(digits, CultureInfo.InvariantCulture)));
        return whole;
    }

    private static int Radix(char letter) => letter switch { 'x' or 'X' => 16, 'o' or 'O' => 8, 'b' or 'B' => 2, _ => 0 };

    private int Digits(int at, int radix, bool leadingUnderscore = false)
    {
        int start = at;
        while (at < source.Length)
        {
            bool underscore = source[at] == '_' && (at > start || leadingUnderscore) && at + 1 < source.Length && IsDigit(source[at + 1], radix);
            if (!underscore && !IsDigit(source[at], radix))
                break;
            if (at - start > 4 * MostDigits)
                throw Fail($"an integer of over {MostDigits} digits");
            at++;
        }

        return at;
    }

    private static bool IsDigit(char c, int radix) => radix == 16 ? char.IsAsciiHexDigit(c) : c >= '0' && c < '0' + radix;

    private int ExponentEnd(int at)
    {
        if (at >= source.Length || source[at] is not ('e' or 'E'))
            return at;
        int digits = at + 1 < source.Length && source[at + 1] is '+' or '-' ? at + 2 : at + 1;
        int end = Digits(digits, 10);
        return end > digits ? end : at;
    }

    private int ReadName(int at)
    {
        int start = at;
        while (at < source.Length && IsNamePart(source[at]))
            at++;
        Add(JinjaTokenKind.Name, source[start..at]);
        return at;
    }

    private static bool IsNamePart(char c) => c == '_' || char.IsLetterOrDigit(c);

    private int ReadText(int at)
    {
        char quote = source[at];
        int end = at + 1;
        while (end < source.Length && source[end] != quote)
            end += source[end] == '\\' ? 2 : 1;
        if (end >= source.Length)
            throw Fail("a text has no closing quote");
        string raw = source[(at + 1)..end];
        runtime.Line = _line;
        Add(JinjaTokenKind.Text, JinjaEscapes.Unescape(runtime, raw));
        _line += raw.AsSpan().Count('\n');
        return end + 1;
    }

    private int ReadOperator(int at)
    {
        foreach (string op in LongOperators)
        {
            if (string.CompareOrdinal(source, at, op, 0, 2) == 0)
            {
                Add(JinjaTokenKind.Operator, op);
                return at + 2;
            }
        }

        char c = source[at];
        if (!"+-/*%~[](){}><=.:|,;".Contains(c, StringComparison.Ordinal))
            throw Fail($"unexpected character '{c}'");
        if (c is '(' or '[' or '{')
        {
            if (_brackets.Count == MostBrackets)
                throw Fail($"brackets are nested deeper than {MostBrackets} levels");
            _brackets.Push(c switch { '(' => ')', '[' => ']', _ => '}' });
        }
        else if (c is ')' or ']' or '}')
        {
            if (_brackets.Count == 0 || _brackets.Pop() != c)
                throw Fail($"unexpected '{c}'");
        }

        Add(JinjaTokenKind.Operator, c.ToString());
        return at + 1;
    }

    private void Add(JinjaTokenKind kind, string text, object? value = null) => tokens.Add(new(kind, text, _line, value));

    private InvalidInputException Fail(string problem)
    {
        runtime.Line = _line;
        return runtime.Fail(problem);
    }
}
