using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The key-value pairs of a GGUF file, in order. Values are <see cref="byte"/>, <see cref="sbyte"/>,
/// <see cref="ushort"/>, <see cref="short"/>, <see cref="uint"/>, <see cref="int"/>, <see cref="ulong"/>,
/// <see cref="long"/>, <see cref="float"/>, <see cref="double"/>, <see cref="bool"/>, <see cref="string"/>, arrays of
/// those, and <c>Array[]</c> for nested arrays.
/// </summary>
[SuppressMessage("Naming", "CA1710", Justification = "The format's own word.")]
[SuppressMessage("Naming", "CA1720", Justification = "The getters are named for the types that they return.")]
public sealed class GgufMetadata : IReadOnlyCollection<KeyValuePair<string, object>>
{
    private readonly OrderedDictionary<string, object> _values = [];
    private readonly string _source;

    /// <summary>An empty set of pairs to be written.</summary>
    public GgufMetadata()
        : this("gguf metadata")
    {
    }

    internal GgufMetadata(string source) => _source = source;

    /// <inheritdoc/>
    public int Count => _values.Count;

    /// <summary>The raw value.</summary>
    /// <exception cref="InvalidInputException">The key is missing.</exception>
    public object this[string key] => _values.TryGetValue(key, out object? value)
        ? value
        : throw new InvalidInputException(_source, key, "is missing from the metadata");

    /// <summary>Adds a pair at the end.</summary>
    /// <exception cref="ArgumentException">The key is empty or taken, or the format cannot hold the value.</exception>
    public void Add(string key, object value)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (!GgufValueTypes.Holds(value))
            throw new ArgumentException($"gguf cannot hold this {value.GetType()}", nameof(value));
        _values.Add(key, value);
    }

    /// <summary>True if the key is there.</summary>
    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>A string.</summary>
    /// <exception cref="InvalidInputException">The key is missing or holds something else.</exception>
    public string String(string key) => Convert<string>(key, this[key]);

    /// <summary>An integer of any width that fits 64 signed bits.</summary>
    /// <exception cref="InvalidInputException">The key is missing or holds something else.</exception>
    public long Int(string key) => Convert<long>(key, this[key]);

    /// <summary>A floating-point number; double precision is rounded.</summary>
    /// <exception cref="InvalidInputException">The key is missing or holds something else.</exception>
    public float Float(string key) => Convert<float>(key, this[key]);

    /// <summary>A truth value.</summary>
    /// <exception cref="InvalidInputException">The key is missing or holds something else.</exception>
    public bool Bool(string key) => Convert<bool>(key, this[key]);

    /// <summary>An array. As <see cref="int"/> or <see cref="long"/>, integers of every width that fit are taken.</summary>
    /// <exception cref="InvalidInputException">The key is missing or holds something else.</exception>
    public T[] Array<T>(string key) => Convert<T[]>(key, this[key]);

    /// <summary>
    /// A value that may be absent. <typeparamref name="T"/> is string, int, long, float, double, bool, an array, or object
    /// for the raw value; widths of numbers are converted as by the other getters.
    /// </summary>
    /// <exception cref="InvalidInputException">The key is there but holds something else.</exception>
    public bool TryGet<T>(string key, [MaybeNullWhen(false)] out T value)
    {
        bool found = _values.TryGetValue(key, out object? raw);
        value = found ? Convert<T>(key, raw!) : default;
        return found;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private T Convert<T>(string key, object value)
    {
        // By the exact type: at run time a uint[] would pass for an int[].
        if (value.GetType() == typeof(T) || typeof(T) == typeof(object))
            return (T)value;
        object? converted = null;
        if (typeof(T) == typeof(long))
            converted = Integer(value);
        else if (typeof(T) == typeof(int))
            converted = Integer(value) is { } integer && integer == (int)integer ? (int)integer : null;
        else if (typeof(T) == typeof(float))
            converted = value is double d ? (float)d : null;
        else if (typeof(T) == typeof(double))
            converted = value is float f ? (double)f : null;
        else if (typeof(T) == typeof(long[]))
            converted = Integers(value);
        else if (typeof(T) == typeof(int[]) && Integers(value) is { } integers && System.Array.TrueForAll(integers, n => n == (int)n))
            converted = System.Array.ConvertAll(integers, n => (int)n);
        return converted is T result
            ? result
            : throw new InvalidInputException(_source, key, $"holds {Describe(value)}, but {Describe(typeof(T))} is needed");
    }

    private static long? Integer(object value) => value switch
    {
        byte n => n,
        sbyte n => n,
        ushort n => n,
        short n => n,
        uint n => n,
        int n => n,
        long n => n,
        ulong n when n <= long.MaxValue => (long)n,
        _ => null,
    };

    private static long[]? Integers(object value)
    {
        Type type = value.GetType();
        return type == typeof(byte[]) ? System.Array.ConvertAll((byte[])value, n => (long)n)
            : type == typeof(sbyte[]) ? System.Array.ConvertAll((sbyte[])value, n => (long)n)
            : type == typeof(ushort[]) ? System.Array.ConvertAll((ushort[])value, n => (long)n)
            : type == typeof(short[]) ? System.Array.ConvertAll((short[])value, n => (long)n)
            : type == typeof(uint[]) ? System.Array.ConvertAll((uint[])value, n => (long)n)
            : type == typeof(int[]) ? System.Array.ConvertAll((int[])value, n => (long)n)
            : type == typeof(long[]) ? (long[])value
            : type == typeof(ulong[]) && System.Array.TrueForAll((ulong[])value, n => n <= long.MaxValue) ? System.Array.ConvertAll((ulong[])value, n => (long)n)
            : null;
    }

    private static string Describe(object value) => value switch
    {
        Array array => $"{Describe(value.GetType())} of {array.Length}",
        string => "text",
        _ => $"{Describe(value.GetType())} {value}",
    };

    private static string Describe(Type type) => type.IsArray
        ? type == typeof(Array[]) ? "an array of arrays" : $"an array of {Describe(type.GetElementType()!)}"
        : GgufValueTypes.Of(type) is { } known && known != GgufValueType.List ? known.ToString().ToLowerInvariant() : type.Name;
}
