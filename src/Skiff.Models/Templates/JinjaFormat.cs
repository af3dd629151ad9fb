using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary><c>str.format</c>: fields in braces, with attributes, subscripts, conversions and specifications.</summary>
internal static class JinjaFormat
{
    public static string Apply(JinjaRuntime runtime, string format, JinjaArguments arguments, bool escape)
    {
        int next = 0;
        return Apply(runtime, format, arguments, escape, ref next, nesting: 0);
    }

    private static string Apply(JinjaRuntime runtime, string format, JinjaArguments arguments, bool escape, ref int next, int nesting)
    {
        if (nesting > 1)
            throw runtime.Fail("format fields are nested too deeply");
        StringBuilder text = new();
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            if (c is '{' or '}' && at + 1 < format.Length && format[at + 1] == c)
            {
                text.Append(c);
                at++;
            }
            else if (c == '{')
            {
                int end = FieldEnd(runtime, format, at + 1);
                text.Append(Field(runtime, format[(at + 1)..end], arguments, escape, ref next, nesting));
                runtime.Reserve(text.Length / 16);
                if (text.Length > runtime.Options.MaxOutput)
                    runtime.Reserve(text.Length);
                at = end;
            }
            else if (c == '}')
            {
                throw runtime.Fail("a single '}' in a format text");
            }
            else
            {
                text.Append(c);
            }
        }

        return text.ToString();
    }

    private static int FieldEnd(JinjaRuntime runtime, string format, int at)
    {
        int depth = 1;
        bool bracket = false;
        for (; at < format.Length; at++)
        {
            char c = format[at];
            bracket = bracket ? c != ']' : c == '[';
            if (bracket)
                continue;
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth == 0)
                return at;
        }

        throw runtime.Fail("a format field has no '}'");
    }

    private static string Field(JinjaRuntime runtime, string field, JinjaArguments arguments, bool escape, ref int next, int nesting)
    {
        int nameEnd = 0;
        bool bracket = false;
        for (; nameEnd < field.Length && (bracket || field[nameEnd] is not ('!' or ':')); nameEnd++)
            bracket = bracket ? field[nameEnd] != ']' : field[nameEnd] == '[';
        object? value = Resolve(runtime, field[..nameEnd], arguments, ref next);
        if (nameEnd < field.Length && field[nameEnd] == '!')
        {
            string conversion = nameEnd + 1 < field.Length ? field.Substring(nameEnd + 1, 1) : "";
            value = conversion switch
            {
                "s" => JinjaRepr.Str(runtime, value),
                "r" => JinjaRepr.Repr(runtime, value),
                _ => throw runtime.Fail($"'{conversion}' is no conversion of a format field"),
            };
            nameEnd += 2;
            if (nameEnd < field.Length && field[nameEnd] != ':')
                throw runtime.Fail("expected ':' after the conversion of a format field");
        }

        string spec = nameEnd < field.Length ? Apply(runtime, field[(nameEnd + 1)..], arguments, escape: false, ref next, nesting + 1) : "";
        string text = JinjaFormatSpec.Apply(runtime, value, spec);
        return escape && value is not JinjaMarkup ? JinjaText.Escape(text) : text;
    }

    private static object? Resolve(JinjaRuntime runtime, string name, JinjaArguments arguments, ref int next)
    {
        int end = name.IndexOfAny(['.', '[']);
        string first = end < 0 ? name : name[..end];
        object? value;
        if (first.Length == 0 || first.All(char.IsAsciiDigit))
        {
            if ((first.Length == 0 && next < 0) || (first.Length > 0 && next > 0))
                throw runtime.Fail("numbered and unnumbered format fields cannot be mixed");
            int index = first.Length == 0 ? next++ : int.TryParse(first, CultureInfo.InvariantCulture, out int number) ? number : int.MaxValue;
            if (first.Length > 0)
                next = -1;
            value = index < arguments.Positional.Count ? arguments.Positional[index] : throw runtime.Fail($"there is no argument {index} for the format text");
        }
        else if (!arguments.Named.TryGetValue(first, out value))
        {
            throw runtime.Fail($"there is no argument '{first}' for the format text");
        }

        for (int at = first.Length; at < name.Length;)
        {
            bool isAttribute = name[at] == '.';
            int stop = isAttribute ? name.IndexOfAny(['.', '['], at + 1) : name.IndexOf(']', at);
            stop = stop < 0 ? (isAttribute ? name.Length : throw runtime.Fail("a format field has no ']'")) : stop;
            string part = name[(at + 1)..stop];
            if (part.Length == 0 || (!isAttribute && stop + 1 < name.Length && name[stop + 1] is not ('.' or '[')))
                throw runtime.Fail("a format field has an empty attribute");
            if (isAttribute)
                value = JinjaLookup.Attribute(runtime, value, part);
            else
                value = JinjaLookup.Item(runtime, value, long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long item) ? item : part);
            at = isAttribute ? stop : stop + 1;
        }

        return value;
    }
}
