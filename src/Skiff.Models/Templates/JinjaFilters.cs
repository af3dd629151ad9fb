namespace Skiff.Models;

/// <summary>Finds filters by name: those on texts, numbers and sequences.</summary>
internal static class JinjaFilters
{
    // Real filters of Jinja that give no repeatable or no plain text.
    private static readonly string[] Unsupported = ["random", "urlize", "pprint"];

    public static bool Exists(string name) => Find(name) is not null;

    public static object? Call(JinjaRuntime runtime, string name, object? value, JinjaArguments arguments)
    {
        JinjaFunction? filter = Find(name);
        if (filter is null)
            throw runtime.Fail(Unsupported.Contains(name) ? $"the filter '{name}' is not supported" : $"no filter named '{name}'");
        return filter.Invoke(runtime, value, arguments);
    }

    private static JinjaFunction? Find(string name) =>
        JinjaTextFilters.Table.Find(name) ?? JinjaSequenceFilters.Table.Find(name) ?? JinjaSelectionFilters.Table.Find(name) ?? JinjaNumberFilters.Table.Find(name);
}
