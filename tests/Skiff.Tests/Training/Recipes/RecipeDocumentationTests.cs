using System.Collections;
using System.Globalization;
using System.Text.RegularExpressions;
using Skiff.Training;

namespace Skiff.Tests.Training.Recipes;

/// <summary>What <c>docs/recipes.md</c> says is so.</summary>
public sealed partial class RecipeDocumentationTests
{
    private static readonly string s_page = File.ReadAllText(Path.Combine(Data.Root, "docs", "recipes.md"));

    private static string[] Examples => [.. Example().Matches(s_page).Select(match => match.Groups[1].Value)];

    [Fact]
    public void ExamplesAreRecipes()
    {
        Assert.Equal(3, Examples.Length);
        Assert.All(Examples, example => Recipe.Parse(example, "books.yaml", []));
        Recipe first = Recipe.Parse(Examples[0], "books.yaml", []);
        Assert.Equal(192, first.Model!.Describe("books.yaml", new Dictionary<string, System.Text.Json.Nodes.JsonNode?> { ["vocab_size"] = 4096 }).HiddenSize);
    }

    // Those that lie in recipes/ and those of the guides.
    [Fact]
    public void AllOtherExamplesAreRecipesToo()
    {
        string[] files = Directory.GetFiles(Path.Combine(Data.Root, "recipes"), "*.yaml");
        Assert.Contains("finetune-lora.yaml", files.Select(Path.GetFileName));
        Assert.All(files, file => Assert.Equal($"runs/{Path.GetFileNameWithoutExtension(file)}", Recipe.Read(file, []).Output));
        string[] guide = [.. Example().Matches(File.ReadAllText(Path.Combine(Data.Root, "docs", "finetune.md"))).Select(match => match.Groups[1].Value)];
        Assert.Equal([2e-4, 2e-5], guide.Select(example => Recipe.Parse(example, "x.yaml", []).Optimizer.LearningRate));
    }

    // What the whole recipe spells out as a default is one.
    [Fact]
    public void TheWholeRecipeNamesTheDefaults()
    {
        Recipe whole = Recipe.Parse(Examples[1], "books.yaml", []);
        Recipe least = Recipe.Parse(Examples[0], "books.yaml", ["parametrization.form=mup"]);
        Assert.Equal((least.Parametrization, least.Schedule, least.Validation), (whole.Parametrization, whole.Schedule, whole.Validation));
        Assert.Equal((least.Checkpoint, least.Watchdog, least.Experts, least.Output), (whole.Checkpoint, whole.Watchdog, whole.Experts, whole.Output));
        Assert.Equal(least.Optimizer with { Groups = whole.Optimizer.Groups }, whole.Optimizer);
        Assert.Equal(new RecipeLora() with { Modules = [] }, Recipe.Parse(Examples[2], "x.yaml", []).Lora! with { Modules = [] });
    }

    [Fact]
    public void TablesHaveEveryKeyWithItsDefault()
    {
        Dictionary<string, string> rows = Row().Matches(s_page).ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value.Trim());
        Assert.True(rows.Remove("model.*"));
        Check(new Recipe(), "", rows);
        Assert.Empty(rows);
    }

    private static void Check(object record, string prefix, Dictionary<string, string> rows)
    {
        foreach (RecipeKey key in RecipeKey.Of(record.GetType()))
        {
            string path = prefix + key.Name;
            object? value = key.Required || path == "data[].name" ? null : key.Property.GetValue(record);
            if (rows.Remove(path, out string? stated))
            {
                if (key.Required)
                    Assert.Equal("required", stated);
                else if (Literal().Match(stated) is { Success: true } literal && !literal.Groups[1].Value.EndsWith('/'))
                    Assert.Equal(literal.Groups[1].Value, Text(value));
                else
                    Assert.Contains(path, new[] { "output", "data[].name", "schedule.warmup_steps", "schedule.decay_steps" });
            }
            else
            {
                Assert.True(IsSection(key.Type), $"{path} has no row");
            }

            Type inner = key.Type.IsGenericType ? key.Type.GetGenericArguments()[^1] : key.Type;
            // A stage's schedule has the keys of the recipe's.
            if (IsSection(key.Type) && path != "stages[].schedule")
                Check(value is null or IEnumerable ? Activator.CreateInstance(inner)! : value, key.Type.IsGenericType ? $"{path}[]." : $"{path}.", rows);
        }
    }

    private static bool IsSection(Type type) => (type.IsGenericType ? type.GetGenericArguments()[^1] : type).Name.StartsWith("Recipe", StringComparison.Ordinal);

    private static string Text(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        Enum choice => RecipeKey.NameOf(choice.ToString()),
        IEnumerable list and not string => $"[{string.Join(", ", list.Cast<object>())}]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex(@"^\| `([a-z0-9_.*\[\]]+)` \|([^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("^`([^`]+)`")]
    private static partial Regex Literal();
}
