using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Skiff.Evaluation;

/// <summary>The harness's steps from a generation to an answer.</summary>
internal static class TaskFilters
{
    private const string Fallback = "[invalid]";
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(5);
    private static readonly string[] s_names = ["regex", "take_first", "remove_whitespace", "lowercase", "uppercase", "map"];

    /// <summary>All that are known, for messages.</summary>
    public static string Names => string.Join(", ", s_names);

    public static bool Knows(string? function) => s_names.Contains(function);

    /// <summary>What the steps make of a text.</summary>
    public static string Apply(FilterConfig filter, string text) => filter.Steps.Aggregate(text, Step);

    private static string Step(string text, JsonObject step) => step["function"]!.ToString() switch
    {
        "regex" => Match(text, step),
        "remove_whitespace" => text.TrimStart(),
        "lowercase" => text.ToLowerInvariant(),
        "uppercase" => text.ToUpperInvariant(),
        "map" => step["mapping_dict"]?[text]?.ToString() ?? step["default_value"]?.ToString() ?? text,
        // There is one generation a document.
        _ => text,
    };

    private static string Match(string text, JsonObject step)
    {
        string fallback = step["fallback"]?.ToString() ?? Fallback;
        int select = step["group_select"] is { } group ? int.Parse(group.ToString(), CultureInfo.InvariantCulture) : 0;
        MatchCollection found = Regex.Matches(text, step["regex_pattern"]?.ToString() ?? @"#### (\-?[0-9\.\,]+)", RegexOptions.None, s_longest);
        int at = select < 0 ? found.Count + select : select;
        if (at < 0 || at >= found.Count)
            return fallback;
        Match match = found[at];
        // The first group that took part, as findall's tuples are taken.
        return (match.Groups.Count == 1 ? match.Value : match.Groups.Values.Skip(1).Select(group => group.Value).FirstOrDefault(value => value.Length > 0) ?? "").Trim();
    }
}
