using System.Numerics;

namespace Skiff.Models;

/// <summary>A dict key with Python's equality: 1, 1.0 and True are one key.</summary>
internal readonly struct JinjaKey(object? value) : IEquatable<JinjaKey>
{
    private const int LargestTuple = 64;

    public object? Value { get; } = value;

    /// <summary>The key of a value, or a refusal where Python calls the value unhashable.</summary>
    public static JinjaKey Of(JinjaRuntime runtime, object? value)
    {
        int size = 0;
        if (!IsHashable(value, ref size))
            throw runtime.Fail($"a {JinjaTypes.Name(value)} cannot be a dict key");
        runtime.Step(size + (JinjaTypes.TryText(value, out string text) ? text.Length / 256 : 0));
        return new(value);
    }

    public static bool IsHashable(object? value)
    {
        int size = 0;
        return IsHashable(value, ref size);
    }

    public bool Equals(JinjaKey other) => Same(Value, other.Value);

    public override bool Equals(object? obj) => obj is JinjaKey other && Equals(other);

    public override int GetHashCode() => Hash(Value);

    // Tuples are walked at every lookup, so that only small ones may be keys.
    private static bool IsHashable(object? value, ref int size)
    {
        if (value is JinjaDict or JinjaSlice or JinjaUndefined { IsStrict: true } || ++size > LargestTuple)
            return false;
        if (value is not JinjaList list)
            return true;
        if (!list.IsTuple)
            return false;
        foreach (object? item in list.Items)
        {
            if (!IsHashable(item, ref size))
                return false;
        }

        return true;
    }

    private static bool Same(object? left, object? right)
    {
        if (ReferenceEquals(left, right))
            return true;
        if (JinjaTypes.TryText(left, out string leftText))
            return JinjaTypes.TryText(right, out string rightText) && leftText == rightText;
        if (JinjaNumbers.IsNumber(left))
            return JinjaNumbers.IsNumber(right) && JinjaNumbers.Compare(left!, right!) == 0;
        if (left is JinjaUndefined)
            return right is JinjaUndefined;
        if (left is JinjaList { IsTuple: true } first && right is JinjaList { IsTuple: true } second && first.Items.Length == second.Items.Length)
        {
            for (int i = 0; i < first.Items.Length; i++)
            {
                if (!Same(first.Items[i], second.Items[i]))
                    return false;
            }

            return true;
        }

        return false;
    }

    private static int Hash(object? value)
    {
        switch (value)
        {
            case null: return 0;
            case bool flag: return (flag ? 1L : 0L).GetHashCode();
            case long or string: return value.GetHashCode();
            case JinjaMarkup markup: return markup.Text.GetHashCode(StringComparison.Ordinal);
            case double number: return Math.Floor(number) == number && Math.Abs(number) < 9e18 ? ((long)number).GetHashCode() : ((float)number).GetHashCode();
            case BigInteger big: return ((float)(double)big).GetHashCode();
            case JinjaUndefined: return 1;
            case JinjaList list:
                HashCode hash = default;
                foreach (object? item in list.Items)
                    hash.Add(Hash(item));
                return hash.ToHashCode();
            default: return value.GetHashCode();
        }
    }
}
