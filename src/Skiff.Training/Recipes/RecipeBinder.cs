using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Makes a recipe's records of its tree; refuses every key that no property has and every value that is not of its kind.</summary>
internal sealed class RecipeBinder
{
    // What is no further apart than this is taken for a slip of the fingers.
    private const int LongestSlip = 40;

    private readonly List<string> _path = [];

    private RecipeBinder()
    {
    }

    /// <summary>A record with the values of a tree; what the tree does not name is as in <paramref name="defaults"/>.</summary>
    /// <exception cref="InvalidInputException">Names the key and its line.</exception>
    public static T Bind<T>(RecipeNode root, T defaults) where T : notnull => (T)new RecipeBinder().Record(root, typeof(T), defaults);

    private object Record(RecipeNode node, Type type, object? defaults)
    {
        if (node.Keys is not { } keys)
            throw Refuse(node, "must be a mapping of keys");
        object record = Activator.CreateInstance(type)!;
        IReadOnlyList<RecipeKey> known = RecipeKey.Of(type);
        foreach (RecipeKey key in known)
        {
            object? before = defaults is null ? null : key.Property.GetValue(defaults);
            if (keys.TryGetValue(key.Name, out RecipeNode? given))
                key.Property.SetValue(record, Below(key.Name, () => Value(given, key, before)));
            else if (key.Required)
                throw Refuse(node, $"{key.Name} is missing");
            else if (defaults is not null)
                key.Property.SetValue(record, before);
        }

        PropertyInfo? others = RecipeKey.OtherKeys(type);
        JsonObject json = [];
        foreach ((string name, RecipeNode value) in keys.Where(pair => known.All(key => key.Name != pair.Key)))
            json[name] = Below(name, () => others is null ? throw Refuse(value, Unknown(name, known.Select(key => key.Name))) : value.ToJson(string.Join('.', _path)));
        others?.SetValue(record, json);
        return record;
    }

    private object? Value(RecipeNode node, RecipeKey key, object? before)
    {
        if (!node.IsNull)
            return Value(node, key.Type, key.Range, before);
        return key.MayBeNull ? null : throw Refuse(node, "has no value");
    }

    private object Value(RecipeNode node, Type type, RangeAttribute? range, object? before = null)
    {
        if (type == typeof(string))
            return Text(node) is { Length: > 0 } text ? text : throw Refuse(node, "is empty");
        if (type == typeof(bool))
            return Plain(node) is "true" or "false" ? node.Text == "true" : throw Refuse(node, "must be true or false");
        if (type == typeof(long) || type == typeof(int))
            return Number(node, Count(node), type, range);
        if (type == typeof(double))
            return Number(node, Real(node), type, range);
        if (type.IsEnum)
            return Choice(node, type);
        if (type == typeof(StageStart))
            return Plain(node) == "decay" ? default(StageStart) : new StageStart((long)Number(node, Count(node), typeof(long), range));
        if (type == typeof(RecipeTokenizer) && node.Text is not null)
            return new RecipeTokenizer { Path = (string)Value(node, typeof(string), null) };
        if (type == typeof(IReadOnlyDictionary<string, double>))
            return Shares(node, range);
        return typeof(IEnumerable).IsAssignableFrom(type) ? List(node, type.GetGenericArguments()[0]) : Record(node, type, before);
    }

    // A single text may stand for a list of one.
    private Array List(RecipeNode node, Type type)
    {
        bool texts = type == typeof(string);
        if (node.Items is null && !(texts && node.Text is not null))
            throw Refuse(node, texts ? "must be a text or a list of texts" : "must be a list");
        List<RecipeNode> items = node.Items ?? [node];
        Array list = Array.CreateInstance(type, items.Count);
        for (int i = 0; i < items.Count; i++)
            list.SetValue(Below(i.ToString(CultureInfo.InvariantCulture), () => texts ? Text(items[i]) : Value(items[i], type, null)), i);
        return list;
    }

    private Dictionary<string, double> Shares(RecipeNode node, RangeAttribute? range)
    {
        if (node.Keys is null)
            throw Refuse(node, "must be a mapping of names to numbers");
        Dictionary<string, double> shares = [];
        foreach ((string name, RecipeNode value) in node.Keys)
            shares.Add(name, (double)Below(name, () => Value(value, typeof(double), range)));
        return shares;
    }

    private object Choice(RecipeNode node, Type type)
    {
        foreach (object value in Enum.GetValues(type))
        {
            if (RecipeKey.NameOf(value.ToString()!) == node.Text)
                return value;
        }

        throw Refuse(node, $"must be one of {string.Join(", ", Enum.GetNames(type).Select(RecipeKey.NameOf))}");
    }

    private object Number(RecipeNode node, double value, Type type, RangeAttribute? range)
    {
        double least = Convert.ToDouble(range?.Minimum ?? double.MinValue, CultureInfo.InvariantCulture);
        double most = Convert.ToDouble(range?.Maximum ?? double.MaxValue, CultureInfo.InvariantCulture);
        bool above = range?.MinimumIsExclusive ?? false, below = range?.MaximumIsExclusive ?? false;
        if (value >= least && value <= most && !(above && value == least) && !(below && value == most))
            return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
        string end = most == double.MaxValue ? "" : string.Create(CultureInfo.InvariantCulture, $" and {(below ? "below" : "at most")} {most}");
        throw Refuse(node, string.Create(CultureInfo.InvariantCulture, $"{node.Text}: must be {(above ? "above" : "at least")} {least}{end}"));
    }

    private double Real(RecipeNode node) =>
        double.TryParse(Plain(node), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw Refuse(node, "must be a number");

    // 500, 20K, 1.5M, 2B. Below 2^53, which the ranges of all counts are, a double has every whole number.
    private double Count(RecipeNode node)
    {
        string text = Plain(node) ?? "";
        double factor = text.Length == 0 ? 1 : text[^1] switch { 'K' => 1e3, 'M' => 1e6, 'B' => 1e9, _ => 1 };
        bool read = decimal.TryParse(factor == 1 ? text : text[..^1], NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) && Math.Abs(number) < 1e18m;
        number *= (decimal)factor;
        return read && number == decimal.Truncate(number) ? (double)number : throw Refuse(node, "must be a whole number, such as 500, 20K, 1.5M or 2B");
    }

    private string Text(RecipeNode node) => node.Text ?? throw Refuse(node, "must be a text");

    private static string? Plain(RecipeNode node) => node.Quoted ? null : node.Text;

    /// <summary>What is wrong with a key that is none of those known.</summary>
    public static string Unknown(string name, IEnumerable<string> known)
    {
        string? nearest = name.Length > LongestSlip ? null : known.MinBy(key => Zoo.Distance(name, key));
        return nearest is not null && Zoo.Distance(name, nearest) <= Math.Max(1, nearest.Length / 3)
            ? $"is no key here; did you mean {nearest}?"
            : $"is no key here; the keys are {string.Join(", ", known)}";
    }

    private T Below<T>(string key, Func<T> read)
    {
        _path.Add(key);
        T value = read();
        _path.RemoveAt(_path.Count - 1);
        return value;
    }

    private InvalidInputException Refuse(RecipeNode node, string problem) => node.Refuse(string.Join('.', _path), problem);
}
