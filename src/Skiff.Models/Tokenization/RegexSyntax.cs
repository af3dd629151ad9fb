using System.Globalization;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Puts the expressions of tokenizer files (Oniguruma's syntax) into .NET's, refusing what would mean something else.</summary>
internal static class RegexSyntax
{
    // Oniguruma's \w has all marks and letter numbers; .NET's has not.
    private const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}";

    private static readonly char[] s_standIns = BuildStandIns();

    /// <summary>A character of the basic plane with the category of <paramref name="rune"/>.</summary>
    public static char StandIn(Rune rune) => s_standIns[(int)Rune.GetUnicodeCategory(rune)];

    /// <summary>The same expression for .NET: possessive repeats become atomic groups, line anchors match at every line.</summary>
    /// <exception cref="InvalidInputException">The expression uses nested character classes or their intersection.</exception>
    public static string Translate(string expression, string source, string field)
    {
        StringBuilder result = new(expression.Length + 16);
        Stack<int> groups = [];
        int atom = 0;
        for (int i = 0; i < expression.Length; i++)
        {
            char c = expression[i];
            if (c is '*' or '+' or '?' && i > 0)
            {
                result.Append(c);
                if (i + 1 < expression.Length && expression[i + 1] == '+')
                {
                    result.Insert(atom, "(?>").Append(')');
                    i++;
                }

                continue;
            }

            // A repeat count belongs to the atom before it; everything else begins a new one.
            if (c != '{' && c != ')')
                atom = result.Length;
            switch (c)
            {
                case '\\' when i + 1 < expression.Length:
                    i = Escape(expression, i, result, inClass: false);
                    break;
                case '[':
                    i = Class(expression, i, result, source, field);
                    break;
                case '(':
                    groups.Push(result.Length);
                    result.Append(c);
                    // The '?' of "(?:" is no repeat.
                    if (i + 1 < expression.Length && expression[i + 1] == '?')
                        result.Append(expression[++i]);
                    break;
                case ')':
                    atom = groups.Count > 0 ? groups.Pop() : 0;
                    result.Append(c);
                    break;
                case '^' or '$':
                    result.Append("(?m:").Append(c).Append(')');
                    break;
                default:
                    result.Append(c);
                    break;
            }
        }

        return result.ToString();
    }

    private static int Escape(string expression, int at, StringBuilder result, bool inClass)
    {
        char c = expression[at + 1];
        if (c == 'w')
            result.Append(inClass ? Word : "[" + Word + "]");
        else if (c == 'W' && !inClass)
            result.Append("[^" + Word + "]");
        else
            result.Append('\\').Append(c);
        // The name of a \p{...} is part of the atom.
        if (c is 'p' or 'P' && at + 2 < expression.Length && expression[at + 2] == '{')
        {
            int close = expression.IndexOf('}', at);
            if (close > 0)
            {
                result.Append(expression, at + 2, close - at - 1);
                return close;
            }
        }

        return at + 1;
    }

    private static int Class(string expression, int at, StringBuilder result, string source, string field)
    {
        int i = at;
        result.Append(expression[i++]);
        if (i < expression.Length && expression[i] == '^')
            result.Append(expression[i++]);
        for (bool first = true; i < expression.Length && (first || expression[i] != ']'); i++, first = false)
        {
            char c = expression[i];
            if (c == '[' || (c == '&' && i + 1 < expression.Length && expression[i + 1] == '&'))
                throw new InvalidInputException(source, field, $"expression '{expression}' has a character class within a class, which is not supported");
            if (c == '\\' && i + 1 < expression.Length)
                i = Escape(expression, i, result, inClass: true);
            else
                result.Append(c);
        }

        if (i < expression.Length)
            result.Append(']');
        return i;
    }

    private static char[] BuildStandIns()
    {
        char[] standIns = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        // From Greek on: patterns name Latin letters one by one.
        for (int c = 0xFFFD; c >= 0x370; c--)
            standIns[(int)CharUnicodeInfo.GetUnicodeCategory(c)] = (char)c;
        standIns[(int)UnicodeCategory.Surrogate] = '\uFFFD';
        standIns[(int)UnicodeCategory.Control] = '\u0080';
        return standIns;
    }
}
