using System.Numerics;

namespace Skiff.Models;

/// <summary>What kind of Python value something is, and how it is iterated.</summary>
internal static class JinjaTypes
{
    public static string Name(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        JinjaMarkup => "Markup",
        JinjaList list => list.IsTuple ? "tuple" : "list",
        JinjaDict => "dict",
        JinjaUndefined => "Undefined",
        JinjaRange => "range",
        JinjaView view => view.Kind,
        JinjaGenerator => "generator",
        JinjaNamespace => "Namespace",
        JinjaLoop => "LoopContext",
        JinjaMacro => "Macro",
        JinjaSlice => "slice",
        _ => "function",
    };

    /// <summary>Whether the value is a text, marked safe or not.</summary>
    public static bool TryText(object? value, out string text)
    {
        text = value as string ?? (value as JinjaMarkup)?.Text ?? "";
        return value is string or JinjaMarkup;
    }

    /// <summary>Python's truth of a value.</summary>
    public static bool IsTrue(JinjaRuntime runtime, object? value) => value switch
    {
        null => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        JinjaMarkup markup => markup.Text.Length > 0,
        JinjaList list => list.Items.Length > 0,
        JinjaDict dict => dict.Count > 0,
        JinjaRange range => range.Count > 0,
        JinjaView view => view.Items.Items.Length > 0,
        JinjaUndefined { IsStrict: true } undefined => throw runtime.Fail(undefined.Message),
        JinjaUndefined => false,
        _ => true,
    };

    /// <summary>Whether <c>len</c> of the value exists.</summary>
    public static bool TryLength(JinjaRuntime runtime, object? value, out long length)
    {
        length = value switch
        {
            string text => JinjaText.Length(text),
            JinjaMarkup markup => JinjaText.Length(markup.Text),
            JinjaList list => list.Items.Length,
            JinjaDict dict => dict.Count,
            JinjaRange range => range.Count,
            JinjaView view => view.Items.Items.Length,
            JinjaLoop loop => loop.Length(),
            JinjaUndefined { IsStrict: true } undefined => throw runtime.Fail(undefined.Message),
            JinjaUndefined => 0,
            _ => -1,
        };
        if (TryText(value, out string counted))
            runtime.Step(counted.Length / 16);
        return length >= 0;
    }

    public static bool IsIterable(JinjaRuntime runtime, object? value) => value switch
    {
        JinjaUndefined { IsStrict: true } undefined => throw runtime.Fail(undefined.Message),
        string or JinjaMarkup or JinjaList or JinjaDict or JinjaRange or JinjaView or JinjaGenerator or JinjaLoop or JinjaUndefined => true,
        _ => false,
    };

    /// <summary>The items of an iterable value; a refusal for any other.</summary>
    public static object?[] Items(JinjaRuntime runtime, object? value)
    {
        switch (value)
        {
            case JinjaList list:
                runtime.Step(list.Items.Length / 16);
                return list.Items;
            case JinjaView view:
                return view.Items.Items;
            case JinjaDict dict:
                runtime.ReserveItems(dict.Count);
                return dict.Keys;
            case JinjaRange range:
                runtime.ReserveItems(range.Count);
                object?[] numbers = new object?[range.Count];
                for (int i = 0; i < numbers.Length; i++)
                    numbers[i] = range[i];
                return numbers;
            case JinjaGenerator generator:
                List<object?> rest = [];
                while (generator.TryNext(out object? item))
                    rest.Add(item);
                runtime.ReserveItems(rest.Count);
                return [.. rest];
            case string or JinjaMarkup:
                TryText(value, out string text);
                runtime.ReserveItems(text.Length);
                runtime.Step(text.Length / 4);
                return [.. JinjaText.CodePoints(text)];
            case JinjaUndefined undefined:
                return undefined.IsStrict ? throw runtime.Fail(undefined.Message) : [];
            default:
                throw runtime.Fail($"a {Name(value)} cannot be iterated");
        }
    }
}
