using System.Globalization;
using System.Numerics;
using System.Text;

namespace Skiff.Models;

/// <summary>Python's <c>json.dumps</c>.</summary>
internal sealed record JinjaJson(bool EnsureAscii, string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys)
{
    private const int LargestIndent = 100;

    /// <summary>The <c>tojson</c> filter: as Hugging Face defines it in chat mode, else Jinja's own, safe inside HTML.</summary>
    public static object Filter(JinjaCall call)
    {
        JinjaRuntime runtime = call.Runtime;
        if (!runtime.Options.ChatMode)
        {
            if (call.Arguments.Positional.Count > 1 || call.Arguments.Named.Keys.Any(name => name != "indent"))
                throw call.Fail("takes only the argument 'indent'");
            object? indent = call.Arguments.Positional.Count > 0 ? call.Arguments.Positional[0] : call.Value(1, null);
            string safe = new JinjaJson(true, IndentOf(call, indent), indent is null ? ", " : ",", ": ", true).Dump(runtime, call.Self)
                .Replace("<", "\\u003c", StringComparison.Ordinal).Replace(">", "\\u003e", StringComparison.Ordinal)
                .Replace("&", "\\u0026", StringComparison.Ordinal).Replace("'", "\\u0027", StringComparison.Ordinal);
            return new JinjaMarkup(runtime.Text(safe));
        }

        object? spaces = call.Value(1);
        string item = spaces is null ? ", " : ",";
        string key = ": ";
        if (call.HasValue(2))
        {
            object?[] separators = JinjaTypes.Items(runtime, call.Value(2));
            if (separators.Length != 2 || !JinjaTypes.TryText(separators[0], out item) || !JinjaTypes.TryText(separators[1], out key))
                throw call.Fail("asks for two texts as separators");
        }

        return new JinjaJson(call.Truth(0), IndentOf(call, spaces), item, key, call.Truth(3)).Dump(runtime, call.Self);
    }

    private static string? IndentOf(JinjaCall call, object? indent)
    {
        if (indent is null)
            return null;
        if (JinjaTypes.TryText(indent, out string text))
            return text.Length <= LargestIndent ? text : throw call.Fail($"indents by at most {LargestIndent} characters");
        if (!JinjaNumbers.TryInteger(indent, out BigInteger width))
            throw call.Fail("asks for an integer or a text as indent");
        return width <= LargestIndent ? new string(' ', (int)BigInteger.Max(0, width)) : throw call.Fail($"indents by at most {LargestIndent} characters");
    }

    public string Dump(JinjaRuntime runtime, object? value)
    {
        StringBuilder text = new();
        Append(runtime, text, value, 0);
        return runtime.Text(text.ToString());
    }

    private void Append(JinjaRuntime runtime, StringBuilder text, object? value, int level)
    {
        runtime.Step();
        if (text.Length > runtime.Options.MaxOutput)
            runtime.Reserve(text.Length);
        switch (value)
        {
            case null or bool or long or BigInteger or double:
                text.Append(Scalar(runtime, value));
                break;
            case string or JinjaMarkup:
                JinjaTypes.TryText(value, out string plain);
                runtime.Step(plain.Length / 256);
                AppendText(text, plain);
                break;
            case JinjaList list:
                AppendMany(text, '[', ']', level, list.Items, item => Append(runtime, text, item, level + 1));
                break;
            case JinjaDict dict:
                KeyValuePair<object?, object?>[] entries = [.. dict.Entries];
                if (SortKeys)
                    JinjaSort.Sort(entries, (left, right) => JinjaOperators.Less(runtime, left.Key, right.Key));
                AppendMany(text, '{', '}', level, entries, entry =>
                {
                    AppendText(text, Key(runtime, entry.Key));
                    text.Append(KeySeparator);
                    Append(runtime, text, entry.Value, level + 1);
                });
                break;
            default:
                JinjaOperators.Strict(runtime, value);
                throw runtime.Fail($"a {JinjaTypes.Name(value)} cannot be written as JSON");
        }
    }

    private static string Scalar(JinjaRuntime runtime, object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double number when !double.IsFinite(number) => double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity",
        _ => JinjaRepr.Repr(runtime, value),
    };

    private static string Key(JinjaRuntime runtime, object? key)
    {
        if (JinjaTypes.TryText(key, out string text))
            return text;
        return key is null || JinjaNumbers.IsNumber(key) ? Scalar(runtime, key) : throw runtime.Fail($"a {JinjaTypes.Name(key)} cannot be a key in JSON");
    }

    private void AppendMany<T>(StringBuilder text, char open, char close, int level, T[] items, Action<T> append)
    {
        text.Append(open);
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0)
                text.Append(ItemSeparator);
            NewLine(text, level + 1);
            append(items[i]);
        }

        if (items.Length > 0)
            NewLine(text, level);
        text.Append(close);
    }

    private void NewLine(StringBuilder text, int level)
    {
        if (Indent is null)
            return;
        text.Append('\n');
        text.Insert(text.Length, Indent, level);
    }

    private void AppendText(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            switch (c)
            {
                case '"' or '\\': text.Append('\\').Append(c); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\f': text.Append("\\f"); break;
                case '\b': text.Append("\\b"); break;
                case < ' ' or >= '\u007f' when c < ' ' || EnsureAscii: text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                default: text.Append(c); break;
            }
        }

        text.Append('"');
    }
}
