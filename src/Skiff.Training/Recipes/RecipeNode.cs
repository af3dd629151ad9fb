using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A value in a recipe's tree: a text, keys or items. It knows the line it came from, so that a refusal can name it.</summary>
/// <param name="source">The recipe's file.</param>
/// <param name="place">The line it stands on, or --set.</param>
internal sealed class RecipeNode(string source, string place)
{
    /// <summary>The text of a plain or quoted value; null where there are keys or items.</summary>
    public string? Text { get; init; }

    /// <summary>The text stands in quotes, so it is neither a number nor true, false or null.</summary>
    public bool Quoted { get; init; }

    /// <summary>The values of a mapping, in the file's order.</summary>
    public OrderedDictionary<string, RecipeNode>? Keys { get; init; }

    /// <summary>The values of a list.</summary>
    public List<RecipeNode>? Items { get; init; }

    /// <summary>Nothing, null or ~ where a value is expected.</summary>
    public bool IsNull => Text is "" or "null" or "Null" or "NULL" or "~" && !Quoted;

    /// <summary>A mapping without keys, or a list without items.</summary>
    public static RecipeNode Empty(string source, string place, bool list) =>
        new(source, place) { Keys = list ? null : [], Items = list ? [] : null };

    /// <summary>The value as JSON: plain numbers, true, false and null as such, all else as text.</summary>
    /// <param name="path">Its dotted key, for refusals.</param>
    public JsonNode? ToJson(string path)
    {
        if (Keys is { } keys)
            return new JsonObject(keys.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.ToJson($"{path}.{pair.Key}"))));
        if (Items is { } items)
            return new JsonArray([.. items.Select((item, i) => item.ToJson($"{path}.{i}"))]);
        if (IsNull)
            return null;
        if (Quoted)
            return JsonValue.Create(Text);
        if (Text is "true" or "false")
            return JsonValue.Create(Text == "true");
        if (long.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole))
            return JsonValue.Create(whole);
        if (!double.TryParse(Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
            return JsonValue.Create(Text);
        return double.IsFinite(number) ? JsonValue.Create(number) : throw Refuse(path, $"{Text} is no number that JSON has");
    }

    /// <summary>What is wrong with this value.</summary>
    public InvalidInputException Refuse(string path, string problem) => new(source, path.Length == 0 ? "recipe" : path, $"{place}: {problem}");

    /// <summary>What is wrong with the value under a dotted key below this one, at its line or at that of what should hold it.</summary>
    public InvalidInputException RefuseBelow(string path, string problem)
    {
        RecipeNode node = this;
        foreach (string key in path.Split('.'))
        {
            RecipeNode? next = node.Keys is { } keys ? keys.GetValueOrDefault(key)
                : node.Items is { } items && int.TryParse(key, out int index) && index < items.Count ? items[index] : null;
            if (next is null)
                break;
            node = next;
        }

        // What is nowhere in the file has no line.
        return ReferenceEquals(node, this) ? new InvalidInputException(source, path, problem) : node.Refuse(path, problem);
    }
}
