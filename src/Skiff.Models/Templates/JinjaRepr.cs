using System.Globalization;
using System.Numerics;
using System.Text;

namespace Skiff.Models;

/// <summary>Python's <c>str</c> and <c>repr</c> of values.</summary>
internal static class JinjaRepr
{
    private const int LongestInteger = 4300;
    private const int MostNamespaces = 20;

    /// <summary>What printing the value shows.</summary>
    public static string Str(JinjaRuntime runtime, object? value) => value switch
    {
        string text => text,
        JinjaMarkup markup => markup.Text,
        JinjaUndefined { IsStrict: true } undefined => throw runtime.Fail(undefined.Message),
        JinjaUndefined => "",
        _ => Repr(runtime, value),
    };

    public static string Repr(JinjaRuntime runtime, object? value)
    {
        StringBuilder text = new();
        Append(runtime, text, value, 0);
        return text.ToString();
    }

    private static void Append(JinjaRuntime runtime, StringBuilder text, object? value, int namespaces)
    {
        runtime.Step();
        int before = text.Length;
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case long number:
                text.Append(CultureInfo.InvariantCulture, $"{number}");
                break;
            case BigInteger big:
                string digits = big.ToString(CultureInfo.InvariantCulture);
                text.Append(digits.Length > LongestInteger ? throw runtime.Fail($"an integer of over {LongestInteger} digits cannot be printed") : digits);
                break;
            case double number:
                text.Append(JinjaFloats.Repr(number));
                break;
            case string plain:
                AppendQuoted(text, plain);
                break;
            case JinjaMarkup markup:
                AppendQuoted(text.Append("Markup("), markup.Text);
                text.Append(')');
                break;
            case JinjaUndefined:
                text.Append("Undefined");
                break;
            case JinjaList list:
                AppendList(runtime, text, list, namespaces);
                return;
            case JinjaDict dict:
                AppendDict(runtime, text, dict, namespaces);
                return;
            case JinjaRange range:
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                text.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case JinjaView view:
                text.Append(view.Kind).Append('(');
                Append(runtime, text, view.Items, namespaces);
                text.Append(')');
                return;
            case JinjaNamespace space:
                // A namespace may hold itself.
                if (namespaces == MostNamespaces)
                    throw runtime.Fail("namespaces hold each other too deeply to be printed");
                text.Append("<Namespace ");
                Append(runtime, text, space.Attributes, namespaces + 1);
                text.Append('>');
                return;
            case JinjaLoop loop:
                text.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index0 + 1}/{loop.Length()}>");
                break;
            case JinjaMacro macro:
                AppendQuoted(text.Append("<Macro "), macro.Name);
                text.Append('>');
                break;
            default:
                text.Append('<').Append(JinjaTypes.Name(value)).Append(" object>");
                break;
        }

        runtime.Reserve(text.Length - before);
        if (text.Length > runtime.Options.MaxOutput)
            throw runtime.Fail($"the printed value is over the limit of {runtime.Options.MaxOutput} characters");
    }

    private static void AppendList(JinjaRuntime runtime, StringBuilder text, JinjaList list, int namespaces)
    {
        text.Append(list.IsTuple ? '(' : '[');
        for (int i = 0; i < list.Items.Length; i++)
        {
            if (i > 0)
                text.Append(", ");
            Append(runtime, text, list.Items[i], namespaces);
        }

        if (list.IsTuple && list.Items.Length == 1)
            text.Append(',');
        text.Append(list.IsTuple ? ')' : ']');
    }

    private static void AppendDict(JinjaRuntime runtime, StringBuilder text, JinjaDict dict, int namespaces)
    {
        text.Append('{');
        bool first = true;
        foreach ((object? key, object? value) in dict.Entries)
        {
            if (!first)
                text.Append(", ");
            first = false;
            Append(runtime, text, key, namespaces);
            text.Append(": ");
            Append(runtime, text, value, namespaces);
        }

        text.Append('}');
    }

    private static void AppendQuoted(StringBuilder text, string value)
    {
        char quote = value.Contains('\'') && !value.Contains('"') ? '"' : '\'';
        text.Append(quote);
        for (int i = 0; i < value.Length; i++)
        {
            char c = value[i];
            if (c == quote || c == '\\')
                text.Append('\\').Append(c);
            else if (c is '\n' or '\r' or '\t')
                text.Append('\\').Append(c switch { '\n' => 'n', '\r' => 'r', _ => 't' });
            else if (c is >= ' ' and < '\u007f')
                text.Append(c);
            else
                i += AppendOther(text, value, i);
        }

        text.Append(quote);
    }

    // Python escapes what it holds for unprintable: controls, formats, surrogates, private use, unassigned and separators.
    private static int AppendOther(StringBuilder text, string value, int at)
    {
        bool pair = at + 1 < value.Length && char.IsSurrogatePair(value[at], value[at + 1]);
        int point = pair ? char.ConvertToUtf32(value[at], value[at + 1]) : value[at];
        bool printable = CharUnicodeInfo.GetUnicodeCategory(point) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
        if (printable)
            text.Append(value, at, pair ? 2 : 1);
        else if (point < 0x100)
            text.Append(CultureInfo.InvariantCulture, $"\\x{point:x2}");
        else if (point < 0x10000)
            text.Append(CultureInfo.InvariantCulture, $"\\u{point:x4}");
        else
            text.Append(CultureInfo.InvariantCulture, $"\\U{point:x8}");
        return pair ? 1 : 0;
    }
}
