using System.Reflection;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Named architectures of published small models: the shapes alone, without their weights.</summary>
public static class Zoo
{
    /// <summary>What precedes a name where a model is expected: <c>zoo:qwen2.5-0.5b</c>.</summary>
    public const string Prefix = "zoo:";

    private static readonly Lazy<IReadOnlyList<ZooEntry>> Loaded = new(Load);

    /// <summary>All entries, in the order of <c>zoo.jsonl</c>.</summary>
    public static IReadOnlyList<ZooEntry> Entries => Loaded.Value;

    /// <summary>The entry of this name, with or without <see cref="Prefix"/>; case does not matter.</summary>
    /// <exception cref="InvalidInputException">No such entry; suggests the nearest.</exception>
    public static ZooEntry Find(string name)
    {
        string bare = name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? name[Prefix.Length..] : name;
        return Entries.FirstOrDefault(e => e.Name.Equals(bare, StringComparison.OrdinalIgnoreCase))
            ?? throw new InvalidInputException(name, "zoo", $"no such architecture; did you mean {string.Join(", ", Nearest(bare))}? 'skiff zoo' lists all");
    }

    // Only as much of a name as was typed counts: "quen" means qwen-1.8b rather than phi-2.
    private static IEnumerable<string> Nearest(string name) =>
        Entries.OrderBy(e => Distance(e.Name[..Math.Min(e.Name.Length, name.Length)], name.ToLowerInvariant())).Take(3).Select(e => e.Name);

    // Levenshtein distance, one row at a time.
    internal static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }

        return row[^1];
    }

    private static List<ZooEntry> Load()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Skiff.Models.Zoo.zoo.jsonl")!;
        using StreamReader reader = new(stream);
        List<ZooEntry> entries = [];
        while (reader.ReadLine() is { } line)
        {
            JsonObject json = JsonNode.Parse(line)!.AsObject();
            entries.Add(new ZooEntry((string)json["name"]!, (string)json["title"]!, (string)json["date"]!, (string)json["survey"]!,
                (double?)json["train_tokens_b"], (string?)json["note"], json["config"]!.AsObject()));
        }

        return entries;
    }
}

/// <summary>One architecture.</summary>
/// <param name="Name">Lower-case name: <c>qwen2.5-0.5b</c>.</param>
/// <param name="Title">The name as published.</param>
/// <param name="Date">Year and month of release.</param>
/// <param name="Survey">v1 or v3: measured in that version of the survey of small models; listed: named there; extra: not.</param>
/// <param name="TrainTokensB">Training tokens in billions, where published.</param>
/// <param name="Note">How the entry departs from the published model, or null.</param>
/// <param name="ConfigJson">Its <c>config.json</c>.</param>
public sealed record ZooEntry(string Name, string Title, string Date, string Survey, double? TrainTokensB, string? Note, JsonObject ConfigJson)
{
    /// <summary>What it computes.</summary>
    public ModelConfig Config => ModelConfig.Parse(ConfigJson, Zoo.Prefix + Name);
}
