using System.Numerics;

namespace Skiff.Models;

/// <summary>Attributes and subscripts, in the order in which Jinja's immutable sandbox tries them.</summary>
internal static class JinjaLookup
{
    private static readonly string[] ListMutators = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly string[] DictMutators = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary><c>value.name</c>: the attribute, else the entry of a dict.</summary>
    public static object? Attribute(JinjaRuntime runtime, object? value, string name)
    {
        if (TryAttribute(runtime, value, name, out object? attribute))
            return attribute;
        return value is JinjaDict dict && dict.TryGet(name, out object? entry) ? entry : MissingAttribute(runtime, value, name);
    }

    /// <summary><c>value[key]</c>: the item, else the attribute of that name.</summary>
    public static object? Item(JinjaRuntime runtime, object? value, object? key)
    {
        JinjaOperators.Refuse(runtime, value);
        if (TryItem(runtime, value, key, out object? item))
            return item;
        if (key is JinjaSlice)
            throw runtime.Fail($"a {JinjaTypes.Name(value)} has no such slice");
        if (JinjaTypes.TryText(key, out string name))
            return TryAttribute(runtime, value, name, out object? attribute) ? attribute : MissingAttribute(runtime, value, name);
        return runtime.Undefined($"a {JinjaTypes.Name(value)} has no such element");
    }

    /// <summary>The attribute, without a look at the entries of a dict.</summary>
    public static bool TryAttribute(JinjaRuntime runtime, object? value, string name, out object? attribute)
    {
        JinjaOperators.Refuse(runtime, value);
        attribute = null;
        if (name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal))
            throw runtime.Fail($"access to the attribute '{name}' of a {JinjaTypes.Name(value)} is unsafe");
        switch (value)
        {
            case string or JinjaMarkup:
                return Bind(JinjaStringMethods.Find(name), value, out attribute);
            case JinjaDict:
                return IsMutator(runtime, DictMutators, name, out attribute) || Bind(JinjaContainerMethods.Dict.Find(name), value, out attribute);
            case JinjaList { Fields: { } fields } tuple when Array.IndexOf(fields, name) is int field and >= 0:
                attribute = tuple.Items[field];
                return true;
            case JinjaList list:
                return (!list.IsTuple && IsMutator(runtime, ListMutators, name, out attribute))
                    || Bind(JinjaContainerMethods.List.Find(name), value, out attribute);
            case JinjaRange range:
                attribute = name switch { "start" => range.Start, "stop" => range.Stop, "step" => range.Step, _ => null };
                return attribute is not null || Bind(JinjaContainerMethods.List.Find(name), value, out attribute);
            case JinjaNamespace space:
                return space.Attributes.TryGet(name, out attribute);
            case JinjaLoop loop:
                return loop.TryAttribute(name, out attribute);
            case JinjaMacro macro:
                attribute = name switch
                {
                    "name" => macro.Shape.Name,
                    "arguments" => runtime.List(macro.Shape.Parameters, isTuple: true),
                    "catch_kwargs" => macro.Shape.UsesNamed,
                    "catch_varargs" => macro.Shape.UsesRest,
                    "caller" => macro.Shape.UsesCaller,
                    _ => null,
                };
                return attribute is not null || name == "name";
            case JinjaCycler cycler:
                return cycler.TryAttribute(name, out attribute);
            default:
                return false;
        }
    }

    private static bool IsMutator(JinjaRuntime runtime, string[] mutators, string name, out object? attribute)
    {
        bool found = mutators.Contains(name);
        attribute = found ? runtime.Undefined($"the method '{name}' is unsafe: values cannot be changed") : null;
        return found;
    }

    private static bool Bind(JinjaFunction? function, object? self, out object? attribute)
    {
        attribute = function is null ? null : new JinjaBoundFunction(function, self);
        return function is not null;
    }

    private static JinjaUndefined MissingAttribute(JinjaRuntime runtime, object? value, string name) =>
        runtime.Undefined($"a {JinjaTypes.Name(value)} has no attribute '{name}'");

    private static bool TryItem(JinjaRuntime runtime, object? value, object? key, out object? item)
    {
        item = null;
        if (value is JinjaDict dict)
        {
            JinjaOperators.Strict(runtime, key);
            return JinjaKey.IsHashable(key) && dict.TryGet(JinjaKey.Of(runtime, key), out item);
        }

        long length = value switch
        {
            string or JinjaMarkup when JinjaTypes.TryLength(runtime, value, out long points) => points,
            JinjaList list => list.Items.Length,
            JinjaRange range => range.Count,
            _ => -1,
        };
        if (length < 0)
            return false;
        if (key is JinjaSlice slice)
            return TrySlice(runtime, value, slice, length, out item);
        if (!JinjaNumbers.TryInteger(key, out BigInteger integer))
            return false;
        BigInteger index = integer.Sign < 0 ? integer + length : integer;
        if (index.Sign < 0 || index >= length)
            return false;
        item = value switch
        {
            JinjaList list => list.Items[(int)index],
            JinjaRange range => range[(long)index],
            _ => Part(runtime, value, (long)index, (long)index + 1),
        };
        return true;
    }

    private static object Part(JinjaRuntime runtime, object? text, long start, long stop)
    {
        JinjaTypes.TryText(text, out string whole);
        string part = runtime.Text(JinjaText.Substring(whole, start, stop));
        return text is JinjaMarkup ? new JinjaMarkup(part) : part;
    }

    private static bool TrySlice(JinjaRuntime runtime, object? value, JinjaSlice slice, long length, out object? item)
    {
        item = null;
        if (!TryBound(slice.Step, 1, out BigInteger wide) || wide.IsZero)
            return wide.IsZero && (slice.Step is null or long or bool) ? throw runtime.Fail("a slice's step cannot be zero") : false;
        // Steps beyond the length all mean the same.
        long step = (long)BigInteger.Max(-length - 1, BigInteger.Min(length + 1, wide));
        long low = step < 0 ? -1 : 0;
        long high = step < 0 ? length - 1 : length;
        if (!TryBound(slice.Start, step < 0 ? high : low, out BigInteger start, length, low, high)
            || !TryBound(slice.Stop, step < 0 ? low : high, out BigInteger stop, length, low, high))
        {
            return false;
        }

        long first = (long)start;
        long last = (long)stop;
        if (value is JinjaRange range)
        {
            item = new JinjaRange(range.Start + (first * range.Step), range.Start + (last * range.Step), range.Step * step);
            return true;
        }

        JinjaRange positions = new(first, last, step);
        if (value is JinjaList list)
            item = runtime.List(step == 1 && first <= last ? list.Items[(int)first..(int)last] : Pick(list.Items, positions), list.IsTuple);
        else if (step == 1)
            item = Part(runtime, value, first, last);
        else
            item = Pick(runtime, value, positions);
        return true;
    }

    private static bool TryBound(object? bound, long fallback, out BigInteger value, long length = -1, long low = 0, long high = 0)
    {
        value = fallback;
        if (bound is null)
            return true;
        if (!JinjaNumbers.TryInteger(bound, out value))
            return false;
        if (length < 0)
            return true;
        if (value.Sign < 0)
            value += length;
        value = BigInteger.Max(low, BigInteger.Min(high, value));
        return true;
    }

    private static object?[] Pick(object?[] items, JinjaRange positions)
    {
        object?[] picked = new object?[positions.Count];
        for (int i = 0; i < picked.Length; i++)
            picked[i] = items[positions[i]];
        return picked;
    }

    private static object Pick(JinjaRuntime runtime, object? text, JinjaRange positions)
    {
        JinjaTypes.TryText(text, out string whole);
        runtime.ReserveItems(whole.Length);
        runtime.Step(whole.Length);
        string[] points = [.. JinjaText.CodePoints(whole)];
        string picked = runtime.Text(string.Concat(Pick(points, positions)));
        return text is JinjaMarkup ? new JinjaMarkup(picked) : picked;
    }
}
