using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>An architecture: a known one, keys of a <c>config.json</c>, or a known one with some keys changed.</summary>
public sealed record RecipeModel
{
    /// <summary><c>zoo:NAME</c>, a <c>config.json</c> or a folder with one; null where <see cref="Keys"/> are the whole <c>config.json</c>.</summary>
    public string? Base { get; init; }

    /// <summary>Keys of <c>config.json</c>, over those of <see cref="Base"/>: every further key of the section.</summary>
    public JsonObject Keys { get; init; } = [];

    /// <summary>What the model computes.</summary>
    /// <param name="source">The recipe's file, for messages.</param>
    /// <param name="more">Keys over those of the recipe, such as the <c>vocab_size</c> of a tokenizer that was just trained.</param>
    /// <exception cref="InvalidInputException">The base cannot be read, or a key is wrong, missing or unknown.</exception>
    public ModelConfig Describe(string source, IReadOnlyDictionary<string, JsonNode?> more)
    {
        JsonObject keys = (JsonObject)Keys.DeepClone();
        foreach ((string key, JsonNode? value) in more)
            keys[key] = value?.DeepClone();
        ModelConfig? start = Base is null ? null : Model.OpenConfig(Base);
        try
        {
            return start is null ? ModelConfig.Parse(keys, source) : start.With(keys.ToDictionary(pair => pair.Key, pair => pair.Value));
        }
        catch (InvalidInputException e)
        {
            throw new InvalidInputException(source, $"model.{e.Field}", e.Problem, e);
        }
    }
}
