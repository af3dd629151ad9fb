using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Changes to a recipe's tree from outside: <c>optimizer.learning_rate=0.01</c>, <c>data.0.weight=2</c>.</summary>
internal static class RecipeSets
{
    /// <summary>
    /// Puts a value, written as YAML, under a dotted key. Mappings and lists on the way are made where there are none; the
    /// index behind a list's last item adds one.
    /// </summary>
    /// <exception cref="InvalidInputException">It is not key=value, or the key leads through a value.</exception>
    public static void Apply(RecipeNode root, string set, string source)
    {
        int equals = set.IndexOf('=');
        string path = equals < 0 ? "" : set[..equals].Trim();
        string[] keys = path.Split('.');
        if (keys.Any(key => key.Length == 0))
            throw new InvalidInputException(source, RecipeYaml.Set, $"'{set}' is not of the form key=value");
        RecipeNode value = RecipeYaml.Parse(set[(equals + 1)..], source, path);
        RecipeNode node = root;
        for (int i = 0; i < keys.Length; i++)
        {
            RecipeNode? next = i + 1 == keys.Length ? value : null;
            if (node.Keys is { } mapping)
            {
                next ??= mapping.TryGetValue(keys[i], out RecipeNode? found) && !found.IsNull ? found : Container(keys[i + 1]);
                mapping[keys[i]] = next;
            }
            else if (node.Items is { } list)
            {
                if (!int.TryParse(keys[i], out int index) || index < 0 || index > list.Count)
                    throw value.Refuse(path, $"'{keys[i]}' is none of the list's places, 0 to {list.Count}");
                next ??= index < list.Count && !list[index].IsNull ? list[index] : Container(keys[i + 1]);
                if (index == list.Count)
                    list.Add(next);
                list[index] = next;
            }
            else
            {
                throw value.Refuse(path, $"{string.Join('.', keys[..i])} holds a value, no keys: set it as a whole");
            }

            node = next;
        }

        RecipeNode Container(string key) => RecipeNode.Empty(source, RecipeYaml.Set, list: key.All(char.IsAsciiDigit));
    }
}
