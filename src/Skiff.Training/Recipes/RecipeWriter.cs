using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Skiff.Training;

/// <summary>Writes a recipe's records as the YAML that <see cref="RecipeBinder"/> reads, every key of every record.</summary>
internal sealed class RecipeWriter
{
    private readonly Emitter _yaml;

    private RecipeWriter(TextWriter output) => _yaml = new Emitter(output, EmitterSettings.Default.WithNewLine("\n").WithIndentedSequences());

    /// <summary>The text of a recipe.</summary>
    public static string Write(Recipe recipe)
    {
        using StringWriter text = new(CultureInfo.InvariantCulture);
        RecipeWriter writer = new(text);
        writer._yaml.Emit(new StreamStart());
        writer._yaml.Emit(new DocumentStart());
        writer.Value(recipe);
        writer._yaml.Emit(new DocumentEnd(isImplicit: true));
        writer._yaml.Emit(new StreamEnd());
        return text.ToString();
    }

    private void Value(object? value)
    {
        switch (value)
        {
            case null:
                Plain("null");
                break;
            case string text:
                Text(text);
                break;
            case bool flag:
                Plain(flag ? "true" : "false");
                break;
            case Enum choice:
                Plain(RecipeKey.NameOf(choice.ToString()));
                break;
            case int or long or double or StageStart:
                Plain(Convert.ToString(value, CultureInfo.InvariantCulture)!);
                break;
            case JsonValue json:
                Json(json);
                break;
            case IEnumerable<KeyValuePair<string, JsonNode?>> keys:
                Mapping(keys.Select(pair => (pair.Key, (object?)pair.Value)));
                break;
            case IEnumerable<KeyValuePair<string, double>> shares:
                Mapping(shares.Select(pair => (pair.Key, (object?)pair.Value)));
                break;
            case IEnumerable list:
                List(list);
                break;
            default:
                Mapping(KeysOf(value));
                break;
        }
    }

    private static IEnumerable<(string Key, object? Value)> KeysOf(object record)
    {
        foreach (RecipeKey key in RecipeKey.Of(record.GetType()))
            yield return (key.Name, key.Property.GetValue(record));
        if (RecipeKey.OtherKeys(record.GetType()) is not { } others)
            yield break;
        foreach ((string name, JsonNode? value) in (JsonObject)others.GetValue(record)!)
            yield return (name, value);
    }

    private void Mapping(IEnumerable<(string Key, object? Value)> pairs)
    {
        _yaml.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, MappingStyle.Block));
        foreach ((string key, object? value) in pairs)
        {
            Text(key);
            Value(value);
        }

        _yaml.Emit(new MappingEnd());
    }

    private void List(IEnumerable list)
    {
        _yaml.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, SequenceStyle.Block));
        foreach (object? item in list)
            Value(item);
        _yaml.Emit(new SequenceEnd());
    }

    private void Json(JsonValue value)
    {
        if (value.GetValueKind() == JsonValueKind.String)
            Text(value.GetValue<string>());
        else
            Plain(value.ToJsonString());
    }

    private void Plain(string text) => _yaml.Emit(new Scalar(text));

    // Only what cannot be taken for anything else goes without quotes.
    private void Text(string text)
    {
        bool plain = text.Length > 0 && char.IsAsciiLetter(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/')
            && text is not ("true" or "false" or "null" or "Null" or "NULL") && !double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _);
        _yaml.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text, plain ? ScalarStyle.Plain : ScalarStyle.DoubleQuoted, isPlainImplicit: plain, isQuotedImplicit: !plain));
    }
}
