using System.Globalization;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Special tokens by template: <c>&lt;s&gt; $A &lt;/s&gt;</c>.</summary>
internal sealed class TemplateProcessor : PostProcessor
{
    private readonly Item[] _single;
    private readonly Item[] _pair;
    private readonly Dictionary<string, (int[] Ids, string[] Texts)> _tokens;

    private TemplateProcessor(Item[] single, Item[] pair, Dictionary<string, (int[] Ids, string[] Texts)> tokens)
    {
        _single = single;
        _pair = pair;
        _tokens = tokens;
        int middle = Array.FindIndex(single, item => !item.IsToken);
        Before = [.. single.Take(middle).SelectMany(item => tokens[item.Id].Ids)];
        After = [.. single.Skip(middle + 1).SelectMany(item => tokens[item.Id].Ids)];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<int> Before { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<int> After { get; }

    /// <summary>The template that puts one token, or none, on each side.</summary>
    public static TemplateProcessor Around((string Text, int Id)? before, (string Text, int Id)? after)
    {
        Dictionary<string, (int[] Ids, string[] Texts)> tokens = [];
        List<Item> single = [];
        List<Item> pair = [];
        for (int type = 0; type < 2; type++)
        {
            List<Item> part = [];
            if (before is (string first, int firstId))
            {
                tokens[first] = ([firstId], [first]);
                part.Add(new Item(first, IsToken: true, type));
            }

            part.Add(new Item(type == 0 ? "A" : "B", IsToken: false, type));
            if (after is (string last, int lastId))
            {
                tokens[last] = ([lastId], [last]);
                part.Add(new Item(last, IsToken: true, type));
            }

            if (type == 0)
                single.AddRange(part);
            pair.AddRange(part);
        }

        return new TemplateProcessor([.. single], [.. pair], tokens);
    }

    /// <summary>Reads the templates; each must use its sequences once.</summary>
    /// <exception cref="InvalidInputException">A template is malformed or names a token it does not define.</exception>
    public static new TemplateProcessor Read(JsonField node)
    {
        Dictionary<string, (int[] Ids, string[] Texts)> tokens = new(StringComparer.Ordinal);
        if (node.TryGet("special_tokens", out JsonField table))
        {
            table.Expect(JsonValueKind.Object);
            foreach (JsonField entry in table.Properties())
            {
                int[] ids = [.. entry.Get("ids").Items().Select(i => i.Int())];
                string[] texts = [.. entry.Get("tokens").Items().Select(t => t.Text())];
                if (!tokens.TryAdd(entry.Get("id").Text(), (ids, texts)))
                    throw entry.Refuse("is defined twice");
            }
        }

        Item[] single = ReadItems(node.Get("single"), tokens, "A");
        Item[] pair = node.TryGet("pair", out JsonField both) ? ReadItems(both, tokens, "A", "B") : [];
        return new TemplateProcessor(single, pair, tokens);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "TemplateProcessing");
        foreach ((string name, Item[] items) in new[] { ("single", _single), ("pair", _pair) })
        {
            json.WriteStartArray(name);
            foreach (Item item in items)
            {
                json.WriteStartObject();
                json.WriteStartObject(item.IsToken ? "SpecialToken" : "Sequence");
                json.WriteString("id", item.Id);
                json.WriteNumber("type_id", item.TypeId);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("special_tokens");
        foreach ((string name, (int[] ids, string[] texts)) in _tokens)
        {
            json.WriteStartObject(name);
            json.WriteString("id", name);
            json.WriteStartArray("ids");
            foreach (int id in ids)
                json.WriteNumberValue(id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            foreach (string text in texts)
                json.WriteStringValue(text);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static Item[] ReadItems(JsonField node, Dictionary<string, (int[] Ids, string[] Texts)> tokens, params string[] sequences)
    {
        // The older form is one string: "<s> $A </s>".
        if (node.Element.ValueKind == JsonValueKind.String)
            throw node.Refuse("is a template string; only the list form is supported");
        List<Item> items = [];
        foreach (JsonField part in node.Items())
        {
            bool isToken = part.TryGet("SpecialToken", out JsonField inner);
            if (!isToken)
                inner = part.Get("Sequence");
            Item item = new(inner.Get("id").Text(), isToken, inner.Int("type_id", 0));
            if (isToken && !tokens.ContainsKey(item.Id))
                throw inner.Refuse($"special token '{item.Id}' is not among special_tokens");
            items.Add(item);
        }

        string[] used = [.. items.Where(i => !i.IsToken).Select(i => i.Id)];
        return used.AsSpan().SequenceEqual(sequences)
            ? [.. items]
            : throw node.Refuse(string.Create(CultureInfo.InvariantCulture, $"must use each of its {sequences.Length} sequences once, in order"));
    }

    private sealed record Item(string Id, bool IsToken, int TypeId);
}
