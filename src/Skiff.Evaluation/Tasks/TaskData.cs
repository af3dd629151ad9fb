using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>Finds and reads the documents of tasks: JSON lines, JSON lists, CSV and texts, plain or gzip, and folders laid out as Hugging Face's downloads are.</summary>
/// <param name="root">The data folder, in which names of files and data sets are looked for.</param>
public sealed class TaskData(string root)
{
    private static readonly string[] s_endings = [".jsonl", ".json", ".csv", ".jsonl.gz", ".json.gz", ".csv.gz"];

    private readonly Dictionary<string, IReadOnlyList<JsonObject>> _read = [];

    /// <summary>The documents of a split.</summary>
    /// <exception cref="InvalidInputException">Names the task where its data is not there or cannot be read.</exception>
    public IReadOnlyList<JsonObject> Documents(TaskConfig task, string split)
    {
        string[] files = Files(task, split);
        IEnumerable<JsonObject> all = files.SelectMany(Read);
        if (task.Where.Count > 0)
            all = all.Where(document => task.Where.All(pair => document[pair.Key]?.ToString() == pair.Value));
        JsonObject[] documents = [.. all];
        return documents.Length > 0 ? documents : throw new InvalidInputException(task.Source, split, $"{string.Join(", ", files)}: no document");
    }

    /// <summary>A file of the data folder.</summary>
    public string Find(string name) => Path.IsPathRooted(name) ? name : Path.Combine(root, name);

    private string[] Files(TaskConfig task, string split)
    {
        if (task.DataFiles.Count > 0)
        {
            IReadOnlyList<string> named = task.DataFiles.TryGetValue(split, out IReadOnlyList<string>? own) ? own
                : throw new InvalidInputException(task.Source, "data_files", $"names no files of the split '{split}'; there are {string.Join(", ", task.DataFiles.Keys)}");
            foreach (string name in named.Where(name => !File.Exists(Find(name))))
                throw new InvalidInputException(task.Source, "data_files", $"{task.Name}: {Find(name)} is not there: --data names the folder that data files are looked for in");
            return [.. named.Select(Find)];
        }

        // As a data set's repository is laid out: NAME/CONFIG/split-*.jsonl, NAME/split.jsonl.
        string folder = Find(task.DatasetPath ?? throw new InvalidInputException(task.Source, "dataset_path", $"{task.Name}: is missing, and no data_files are named"));
        string[] places = [.. new[] { task.DatasetName is { } part ? Path.Combine(folder, part) : null, folder, Path.Combine(folder, "data") }.OfType<string>().Where(Directory.Exists)];
        foreach (string place in places)
        {
            string[] found = [.. Directory.GetFiles(place).Where(file => s_endings.Any(ending => file.EndsWith(ending, StringComparison.OrdinalIgnoreCase)) && IsOf(Path.GetFileName(file), split)).Order(StringComparer.Ordinal)];
            if (found.Length > 0)
                return found;
        }

        throw new InvalidInputException(task.Source, "dataset_path", $"{task.Name}: no files of the split '{split}' in {folder}: --data names the folder that data sets lie in, as they were downloaded");
    }

    private static bool IsOf(string file, string split) => file.StartsWith(split, StringComparison.Ordinal) && (file.Length == split.Length || file[split.Length] is '-' or '.' or '_');

    private IReadOnlyList<JsonObject> Read(string path)
    {
        if (_read.TryGetValue(path, out IReadOnlyList<JsonObject>? known))
            return known;
        try
        {
            using FileStream file = File.OpenRead(path);
            using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
            string plain = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
            return _read[path] = plain.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) ? [.. Articles(stream)]
                : plain.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) ? [.. CsvRows.Read(stream, path)]
                : plain.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ? [.. Lines(stream, path)]
                : Whole(stream, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new InvalidInputException(path, "file", $"cannot be read: {e.Message}", e);
        }
    }

    // A document for each heading of the first rank, as WikiText has them; without any the whole file.
    private static IEnumerable<JsonObject> Articles(Stream stream)
    {
        using StreamReader reader = new(stream, Encoding.UTF8);
        StringBuilder article = new();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith(" = ", StringComparison.Ordinal) && !line.StartsWith(" = =", StringComparison.Ordinal) && line.TrimEnd().EndsWith(" =", StringComparison.Ordinal) && article.ToString().Trim().Length > 0)
            {
                yield return new JsonObject { ["text"] = article.ToString() };
                article.Clear();
            }

            article.Append(line).Append('\n');
        }

        if (article.Length > 0)
            yield return new JsonObject { ["text"] = article.ToString() };
    }

    private static IEnumerable<JsonObject> Lines(Stream stream, string path)
    {
        using StreamReader reader = new(stream, Encoding.UTF8);
        for (int number = 1; reader.ReadLine() is { } line; number++)
        {
            if (line.Trim().Length > 0)
                yield return Object(line, path, number);
        }
    }

    // A list of documents, or, as some files that are called .json are, a line each.
    private static IReadOnlyList<JsonObject> Whole(Stream stream, string path)
    {
        using StreamReader reader = new(stream, Encoding.UTF8);
        string text = reader.ReadToEnd();
        if (!text.AsSpan().TrimStart().StartsWith("["))
            return [.. Lines(new MemoryStream(Encoding.UTF8.GetBytes(text)), path)];
        try
        {
            return [.. JsonNode.Parse(text)!.AsArray().Select(item => item as JsonObject ?? throw new InvalidInputException(path, "file", "is a list of other things than documents"))];
        }
        catch (JsonException e)
        {
            throw new InvalidInputException(path, "file", $"is no JSON: {e.Message}", e);
        }
    }

    private static JsonObject Object(string line, string path, int number)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject ?? throw new InvalidInputException(path, $"line {number}", "is no document: a mapping of keys is wanted");
        }
        catch (JsonException e)
        {
            throw new InvalidInputException(path, $"line {number}", $"is no JSON: {e.Message}", e);
        }
    }
}

/// <summary>Rows of a CSV file (RFC 4180) by the names of its first row.</summary>
internal static class CsvRows
{
    public static IEnumerable<JsonObject> Read(Stream stream, string path)
    {
        using StreamReader reader = new(stream, Encoding.UTF8);
        List<string>? names = null;
        for (int number = 1; Row(reader, path, number) is { } row; number++)
        {
            if (names is null)
                names = row;
            else if (row.Count == names.Count)
                yield return new JsonObject(names.Zip(row, (name, value) => KeyValuePair.Create(name, (JsonNode?)JsonValue.Create(value))));
            else if (row.Count > 1 || row[0].Length > 0)
                throw new InvalidInputException(path, $"row {number}", $"has {row.Count} values, the first row {names.Count}");
        }
    }

    private static List<string>? Row(StreamReader reader, string path, int number)
    {
        if (reader.Peek() < 0)
            return null;
        List<string> values = [];
        StringBuilder value = new();
        bool quoted = false;
        while (true)
        {
            int c = reader.Read();
            if (c < 0 && quoted)
                throw new InvalidInputException(path, $"row {number}", "ends inside quotes");
            if (quoted)
            {
                if (c != '"')
                    value.Append((char)c);
                else if (reader.Peek() == '"')
                    value.Append((char)reader.Read());
                else
                    quoted = false;
            }
            else if (c == '"' && value.Length == 0)
                quoted = true;
            else if (c is ',' or '\n' or < 0)
            {
                values.Add(value.ToString().TrimEnd('\r'));
                value.Clear();
                if (c != ',')
                    return values;
            }
            else
                value.Append((char)c);
        }
    }
}
