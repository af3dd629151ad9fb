using System.Reflection;
using System.Text.Json.Nodes;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Evaluation;

/// <summary>Finds tasks by name: those that come with Skiff, and those of YAML files and folders.</summary>
public sealed class TaskLibrary
{
    private const string Ready = "tasks/", Ending = ".yaml";

    private readonly Dictionary<string, (JsonObject Keys, string Source)> _tasks = [];
    private readonly Dictionary<string, IReadOnlyList<string>> _groups = [];

    /// <summary>The tasks that come with Skiff, and those below a folder, which win.</summary>
    /// <param name="include">A folder of YAML files, or null.</param>
    public TaskLibrary(string? include = null)
    {
        Assembly assembly = typeof(TaskLibrary).Assembly;
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Ready, StringComparison.Ordinal)))
            Add(resource[Ready.Length..], name => Embedded(assembly, name));
        if (include is null)
            return;
        if (!Directory.Exists(include))
            throw new InvalidInputException(include, "--include_path", "is no folder");
        foreach (string file in Directory.EnumerateFiles(include, "*" + Ending, SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            Add(file, RecipeYaml.ReadText);
    }

    /// <summary>All names, in order.</summary>
    public IEnumerable<string> Names => _tasks.Keys.Concat(_groups.Keys).Order(StringComparer.Ordinal);

    /// <summary>The tasks of names, files and groups, each once.</summary>
    /// <exception cref="InvalidInputException">There is none of a name; says which are alike.</exception>
    public IReadOnlyList<TaskConfig> Find(IEnumerable<string> names)
    {
        OrderedDictionary<string, TaskConfig> found = [];
        foreach (string name in names)
            Find(name, found, depth: 0);
        return [.. found.Values];
    }

    private void Find(string name, OrderedDictionary<string, TaskConfig> found, int depth)
    {
        if (depth > 8)
            throw new InvalidInputException(name, "task", "is a group that lies within itself");
        if (name.EndsWith(Ending, StringComparison.Ordinal) && File.Exists(name))
            name = Add(name, RecipeYaml.ReadText);
        if (_groups.TryGetValue(name, out IReadOnlyList<string>? members))
        {
            foreach (string member in members)
                Find(member, found, depth + 1);
        }
        else if (_tasks.TryGetValue(name, out (JsonObject Keys, string Source) task))
            found.TryAdd(name, TaskYaml.Task(task.Keys, task.Source));
        else
            throw new InvalidInputException("tasks", name, RecipeBinder.Unknown(name, Names).Replace("is no key here", "is no task here", StringComparison.Ordinal).Replace("the keys are", "there are", StringComparison.Ordinal));
    }

    // The name it goes by.
    private string Add(string path, Func<string, string> read)
    {
        JsonObject keys = TaskYaml.Keys(path, read);
        if (keys["for_each"] is { } each)
            return Expand(keys, each, path);
        if (TaskYaml.Group(keys, path) is { } group)
        {
            _groups[group.Name] = group.Tasks;
            return group.Name;
        }

        // A file without a task is one that others include.
        if (keys["task"] is not JsonValue name)
            return path;
        _tasks[name.ToString()] = (keys, path);
        return name.ToString();
    }

    // A task for each of a list of values, which stand for {NAME} in its texts; all of them are a group.
    private string Expand(JsonObject keys, JsonNode each, string path)
    {
        if (each is not JsonObject { Count: 1 } named || named.First() is not { Value: JsonArray values } variable || keys["group"]?.ToString() is not { } group)
            throw new InvalidInputException(path, "for_each", "must be one name with a list of values, beside the name of a group");
        keys.Remove("for_each");
        keys.Remove("group");
        List<string> members = [];
        foreach (string value in values.Select(value => value!.ToString()))
        {
            JsonObject own = (JsonObject)Filled(keys, $"{{{variable.Key}}}", value)!;
            members.Add(own["task"]!.ToString());
            _tasks[members[^1]] = (own, path);
        }

        _groups[group] = members;
        return group;
    }

    private static JsonNode? Filled(JsonNode? node, string place, string value) => node switch
    {
        JsonObject keys => new JsonObject(keys.Select(pair => KeyValuePair.Create(pair.Key, Filled(pair.Value, place, value)))),
        JsonArray items => new JsonArray([.. items.Select(item => Filled(item, place, value))]),
        JsonValue text when text.TryGetValue(out string? plain) => JsonValue.Create(plain.Replace(place, value, StringComparison.Ordinal)),
        _ => node?.DeepClone(),
    };

    private static string Embedded(Assembly assembly, string name)
    {
        using Stream stream = assembly.GetManifestResourceStream(Ready + name) ?? throw new InvalidInputException(name, "include", "is not there");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
