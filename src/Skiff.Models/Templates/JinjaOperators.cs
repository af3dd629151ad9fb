using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Python's binary operators and comparisons on values of any kind.</summary>
internal static class JinjaOperators
{
    public static object? Binary(JinjaRuntime runtime, string op, object? left, object? right)
    {
        if (JinjaNumbers.IsNumber(left) && JinjaNumbers.IsNumber(right))
            return JinjaNumbers.Apply(runtime, op, left!, right!);
        Refuse(runtime, left);
        if (op == "%" && JinjaTypes.TryText(left, out string format))
        {
            string formatted = JinjaPercentFormat.Apply(runtime, format, right, escape: left is JinjaMarkup);
            return left is JinjaMarkup ? new JinjaMarkup(formatted) : formatted;
        }

        Refuse(runtime, right);
        if (op == "+" && JinjaTypes.TryText(left, out string first) && JinjaTypes.TryText(right, out string second))
        {
            runtime.Reserve((long)first.Length + second.Length);
            return left is string && right is string ? first + second : JoinSafe(runtime, left!, first, right!, second);
        }

        if (op == "+" && left is JinjaList a && right is JinjaList b && a.IsTuple == b.IsTuple)
        {
            runtime.ReserveItems((long)a.Items.Length + b.Items.Length);
            return runtime.List((object?[])[.. a.Items, .. b.Items], a.IsTuple);
        }

        if (op == "*")
        {
            if (right is long or bool)
                return Repeat(runtime, left, right) ?? throw Unsupported(runtime, op, left, right);
            if (left is long or bool)
                return Repeat(runtime, right, left) ?? throw Unsupported(runtime, op, left, right);
        }

        throw Unsupported(runtime, op, left, right);
    }

    public static bool Compare(JinjaRuntime runtime, string op, object? left, object? right)
    {
        switch (op)
        {
            case "==": return Equal(runtime, left, right);
            case "!=": return !Equal(runtime, left, right);
            case "in": return Contains(runtime, left, right);
            case "not in": return !Contains(runtime, left, right);
        }

        if (!TryOrder(runtime, left, right, out int order))
        {
            Refuse(runtime, left);
            Refuse(runtime, right);
            throw runtime.Fail($"'{op}' is not supported between {JinjaTypes.Name(left)} and {JinjaTypes.Name(right)}");
        }

        // 2 stands for a comparison with a float that is not a number: every ordering is false.
        return op switch { "<" => order < 0, "<=" => order <= 0, ">" => order == 1, _ => order is 0 or 1 };
    }

    public static bool Equal(JinjaRuntime runtime, object? left, object? right)
    {
        runtime.Step();
        Strict(runtime, left);
        Strict(runtime, right);
        if (JinjaNumbers.IsNumber(left))
            return JinjaNumbers.IsNumber(right) && JinjaNumbers.Compare(left!, right!) == 0;
        if (JinjaTypes.TryText(left, out string text))
        {
            runtime.Step(text.Length / 256);
            return JinjaTypes.TryText(right, out string other) && text == other;
        }

        switch (left, right)
        {
            case (JinjaUndefined, JinjaUndefined):
                return true;
            case (JinjaList a, JinjaList b):
                return a.IsTuple == b.IsTuple && a.Items.Length == b.Items.Length && FirstDifference(runtime, a, b) == a.Items.Length;
            case (JinjaDict a, JinjaDict b):
                if (a.Count != b.Count)
                    return false;
                foreach ((object? key, object? value) in a.Entries)
                {
                    if (!b.TryGet(new JinjaKey(key), out object? twin) || !Equal(runtime, value, twin))
                        return false;
                }

                return true;
            case (JinjaRange a, JinjaRange b):
                return a.Count == b.Count && (a.Count == 0 || (a.Start == b.Start && (a.Count == 1 || a.Step == b.Step)));
            default:
                return ReferenceEquals(left, right);
        }
    }

    /// <summary>Whether the first is less than the second, as sorting asks.</summary>
    public static bool Less(JinjaRuntime runtime, object? left, object? right) => Compare(runtime, "<", left, right);

    public static bool Contains(JinjaRuntime runtime, object? item, object? container)
    {
        Strict(runtime, container);
        if (JinjaTypes.TryText(container, out string text))
        {
            if (!JinjaTypes.TryText(item, out string part))
                throw runtime.Fail($"'in' a text asks for a text, not a {JinjaTypes.Name(item)}");
            runtime.Search(text, part);
            return text.Contains(part, StringComparison.Ordinal);
        }

        if (container is JinjaDict dict)
            return dict.TryGet(JinjaKey.Of(runtime, item), out _);
        if (container is JinjaRange range)
            return JinjaNumbers.IsNumber(item) && JinjaTypes.Items(runtime, range).Any(number => JinjaNumbers.Compare(number!, item!) == 0);
        foreach (object? candidate in JinjaTypes.Items(runtime, container))
        {
            if (ReferenceEquals(candidate, item) || Equal(runtime, candidate, item))
                return true;
        }

        return false;
    }

    /// <summary>A refusal where the value is undefined; nothing may be computed with it.</summary>
    public static void Refuse(JinjaRuntime runtime, object? value)
    {
        if (value is JinjaUndefined undefined)
            throw runtime.Fail(undefined.Message);
    }

    /// <summary>A refusal where the value is undefined and the options forbid any use of that.</summary>
    public static void Strict(JinjaRuntime runtime, object? value)
    {
        if (value is JinjaUndefined { IsStrict: true } undefined)
            throw runtime.Fail(undefined.Message);
    }

    private static InvalidInputException Unsupported(JinjaRuntime runtime, string op, object? left, object? right) =>
        runtime.Fail($"'{op}' is not supported between {JinjaTypes.Name(left)} and {JinjaTypes.Name(right)}");

    private static JinjaMarkup JoinSafe(JinjaRuntime runtime, object left, string first, object right, string second)
    {
        string safe = left is JinjaMarkup ? first : JinjaText.Escape(first);
        return new JinjaMarkup(runtime.Text(safe + (right is JinjaMarkup ? second : JinjaText.Escape(second))));
    }

    private static object? Repeat(JinjaRuntime runtime, object? value, object? times)
    {
        long count = Math.Max(0, times is bool flag ? (flag ? 1 : 0) : (long)times!);
        if (JinjaTypes.TryText(value, out string text))
        {
            runtime.Reserve((long)Int128.Min((Int128)text.Length * count, long.MaxValue));
            string repeated = text.Length == 0 ? "" : new StringBuilder().Insert(0, text, (int)count).ToString();
            return value is JinjaMarkup ? new JinjaMarkup(repeated) : repeated;
        }

        if (value is not JinjaList list)
            return null;
        runtime.ReserveItems((long)Int128.Min((Int128)list.Items.Length * count, int.MaxValue));
        object?[] items = new object?[list.Items.Length * (list.Items.Length == 0 ? 0 : count)];
        for (int i = 0; i < items.Length; i++)
            items[i] = list.Items[i % list.Items.Length];
        return runtime.List(items, list.IsTuple);
    }

    private static int FirstDifference(JinjaRuntime runtime, JinjaList left, JinjaList right)
    {
        int shared = Math.Min(left.Items.Length, right.Items.Length);
        int at = 0;
        while (at < shared && (ReferenceEquals(left.Items[at], right.Items[at]) || Equal(runtime, left.Items[at], right.Items[at])))
            at++;
        return at;
    }

    private static bool TryOrder(JinjaRuntime runtime, object? left, object? right, out int order)
    {
        runtime.Step();
        order = 0;
        if (JinjaNumbers.IsNumber(left) && JinjaNumbers.IsNumber(right))
        {
            order = JinjaNumbers.Compare(left!, right!);
            return true;
        }

        if (JinjaTypes.TryText(left, out string first) && JinjaTypes.TryText(right, out string second))
        {
            runtime.Step(Math.Min(first.Length, second.Length) / 256);
            order = Math.Sign(CompareCodePoints(first, second));
            return true;
        }

        if (left is not JinjaList a || right is not JinjaList b || a.IsTuple != b.IsTuple)
            return false;
        int at = FirstDifference(runtime, a, b);
        if (at < a.Items.Length && at < b.Items.Length)
            return TryOrder(runtime, a.Items[at], b.Items[at], out order);
        order = a.Items.Length.CompareTo(b.Items.Length);
        return true;
    }

    // Surrogates sort after U+E000..U+FFFF as code points, before them as UTF-16.
    private static int CompareCodePoints(string left, string right)
    {
        int at = left.AsSpan().CommonPrefixLength(right);
        if (at == left.Length || at == right.Length)
            return left.Length.CompareTo(right.Length);
        static int Weight(char c) => char.IsSurrogate(c) ? c + 0x10000 : c;
        return Weight(left[at]).CompareTo(Weight(right[at]));
    }
}
