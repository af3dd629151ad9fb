using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>Makes of a task's documents what a model is asked, demonstrations in front, as lm-evaluation-harness does.</summary>
public sealed class TaskPrompts
{
    /// <summary>Seed by which demonstrations are drawn.</summary>
    public const uint FewshotSeed = 1234;

    private static readonly JinjaOptions s_options = new() { StrictUndefined = true, KeepTrailingNewline = true };

    private readonly TaskConfig _task;
    private readonly TaskData _data;
    private readonly Dictionary<string, JinjaTemplate> _templates = [];
    private readonly int _shots;
    private readonly PythonRandom _random;
    private readonly IReadOnlyList<JsonObject> _pool;
    private readonly string[] _prefix;

    /// <summary>Prompts of a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="data">Its data.</param>
    /// <param name="shots">Demonstrations, or null for the task's own number.</param>
    /// <param name="seed">Draws them.</param>
    /// <exception cref="InvalidInputException">There are not so many.</exception>
    public TaskPrompts(TaskConfig task, TaskData data, int? shots = null, uint seed = FewshotSeed)
    {
        (_task, _data, _shots, _random) = (task, data, shots ?? task.NumFewshot, new PythonRandom(seed));
        _prefix = _shots > 0 && task.Fewshot.Prefix is { } prefix ? Examples(prefix.File, prefix.Key) : [];
        _pool = _shots == 0 || _prefix.Length > 0 ? []
            : task.Fewshot.Samples.Count > 0 ? task.Fewshot.Samples
            : data.Documents(task, task.FewshotSplit ?? task.Split);
        // One's own document is left out where demonstrations come from the split that is measured on.
        int available = _prefix.Length > 0 ? _prefix.Length : _pool.Count - (OwnSplit ? 1 : 0);
        if (_shots > 0 && _shots > available)
            throw new InvalidInputException(task.Source, "num_fewshot", $"{task.Name}: {_shots} demonstrations are asked for, and there are {available}");
    }

    private bool OwnSplit => _task.Fewshot.Samples.Count == 0 && (_task.FewshotSplit ?? _task.Split) == _task.Split;

    /// <summary>The items of the split that is measured on, in order.</summary>
    /// <param name="limit">The first so many, or all.</param>
    /// <exception cref="InvalidInputException">Names the task and the document that its templates do not fit.</exception>
    public IEnumerable<TaskItem> Items(int? limit = null)
    {
        IReadOnlyList<JsonObject> documents = _data.Documents(_task, _task.Split);
        for (int id = 0; id < Math.Min(limit ?? int.MaxValue, documents.Count); id++)
        {
            TaskItem item;
            try
            {
                item = Item(id, documents[id]);
            }
            catch (InvalidInputException e)
            {
                throw new InvalidInputException(_task.Source, $"{_task.Name}, document {id}", $"{e.Field}: {e.Problem}", e);
            }

            yield return item;
        }
    }

    private TaskItem Item(int id, JsonObject document)
    {
        if (_task.Output == TaskOutput.LoglikelihoodRolling)
            return new TaskItem(id, document, [new TaskRequest("", TargetText(document, []))], [], [], "");
        string demonstrations = Demonstrations(id);
        IReadOnlyList<string> choices = Choices(document);
        string text = Text(_task.DocToText, document);
        if (_task.Output == TaskOutput.GenerateUntil)
            return new TaskItem(id, document, [new TaskRequest(demonstrations + text, "")], [], choices, TargetText(document, choices));
        if (_task.Output == TaskOutput.Loglikelihood)
            return new TaskItem(id, document, [new TaskRequest(demonstrations + text, _task.TargetDelimiter + TargetText(document, choices))], [], choices, "");
        if (choices.Count == 0)
            throw new InvalidInputException(_task.Source, "doc_to_choice", "gives no choice");
        // A prompt that is a number means that the choices are prompts, all with the same continuation.
        if (IsNumber(text, out int right))
        {
            string continuation = _task.TargetDelimiter + Text(_task.DocToTarget?.ToString() ?? "", document);
            return Checked(new TaskItem(id, document, [.. choices.Select(choice => new TaskRequest(demonstrations + choice, continuation))], [right], choices, ""));
        }

        return Checked(new TaskItem(id, document, [.. choices.Select(choice => new TaskRequest(demonstrations + text, _task.TargetDelimiter + choice))], Gold(document, choices), choices, ""));
    }

    private TaskItem Checked(TaskItem item)
    {
        if (item.Gold.Count == 0)
            throw new InvalidInputException(_task.Source, "doc_to_target", $"gives no choice of {item.Choices.Count}");
        foreach (int gold in item.Gold.Where(gold => gold < 0 || gold >= item.Choices.Count))
            throw new InvalidInputException(_task.Source, "doc_to_target", $"gives choice {gold} of {item.Choices.Count}");
        return item;
    }

    private string Demonstrations(int id)
    {
        string description = _task.Description.Length > 0 ? Text(_task.Description, []) : "";
        if (_shots == 0)
            return description;
        StringBuilder text = new(description);
        if (_prefix.Length > 0)
        {
            foreach (string example in _prefix.Take(_shots))
                text.Append(example).Append(_task.FewshotDelimiter);
            return text.ToString();
        }

        bool own = OwnSplit;
        int[] drawn = _task.Fewshot.FirstN || _task.Fewshot.Samples.Count > 0 ? [.. Enumerable.Range(0, Math.Min(_pool.Count, _shots + (own ? 1 : 0)))] : _random.Sample(_pool.Count, _shots + (own ? 1 : 0));
        foreach (int at in drawn.Where(at => !own || at != id).Take(_shots))
        {
            JsonObject document = _pool[at];
            IReadOnlyList<string> choices = Choices(document);
            string prompt = Text(_task.DocToText, document);
            // Of a prompt that is a choice's number the choice stands there.
            string asked = choices.Count > 0 && IsNumber(prompt, out int chosen) ? choices[chosen] : prompt;
            text.Append(asked).Append(_task.TargetDelimiter).Append(TargetText(document, choices)).Append(_task.FewshotDelimiter);
        }

        return text.ToString();
    }

    private IReadOnlyList<string> Choices(JsonObject document) => _task.DocToChoice switch
    {
        null => [],
        JsonArray list => [.. list.Select(choice => choice?.ToString() ?? "")],
        var one when document[one.ToString()] is JsonArray field => [.. field.Select(choice => choice?.ToString() ?? "")],
        var one => PythonLiteral.List(Text(one.ToString(), document)) ?? throw new InvalidInputException(_task.Source, "doc_to_choice", $"'{Text(one.ToString(), document)}' is no list"),
    };

    // The number of the right choice, of several where there are several.
    private IReadOnlyList<int> Gold(JsonObject document, IReadOnlyList<string> choices)
    {
        JsonNode? target = _task.DocToTarget is JsonValue value && document.TryGetPropertyValue(value.ToString(), out JsonNode? field) ? field : _task.DocToTarget;
        if (target is JsonArray many)
            return [.. many.Select(one => int.Parse(one!.ToString(), CultureInfo.InvariantCulture))];
        string text = target is null ? "" : ReferenceEquals(target, _task.DocToTarget) ? Text(target.ToString(), document) : target.ToString();
        if (int.TryParse(text.Trim(), CultureInfo.InvariantCulture, out int number))
            return [number];
        if (PythonLiteral.List(text) is { } list && list.All(one => int.TryParse(one, CultureInfo.InvariantCulture, out _)))
            return [.. list.Select(one => int.Parse(one, CultureInfo.InvariantCulture))];
        int at = choices.ToList().IndexOf(text);
        return at >= 0 ? [at] : throw new InvalidInputException(_task.Source, "doc_to_target", $"'{text}' is neither the number of a choice nor a choice");
    }

    private string TargetText(JsonObject document, IReadOnlyList<string> choices)
    {
        if (_task.DocToTarget is null)
            return "";
        string text = Text(_task.DocToTarget.ToString(), document);
        return choices.Count > 0 && IsNumber(text, out int number) && number < choices.Count ? choices[number] : text;
    }

    private static bool IsNumber(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    // A field's name stands for the field.
    private string Text(string template, JsonObject document)
    {
        if (document.TryGetPropertyValue(template, out JsonNode? field))
            return field?.ToString() ?? "";
        if (!template.Contains('{', StringComparison.Ordinal))
            return template;
        if (!_templates.TryGetValue(template, out JinjaTemplate? parsed))
            _templates[template] = parsed = JinjaTemplate.Parse(template, _task.Source, s_options);
        return parsed.Render(document.ToDictionary(pair => pair.Key, pair => (object?)pair.Value));
    }

    private string[] Examples(string file, string key)
    {
        string path = _data.Find(file);
        if (!File.Exists(path))
            throw new InvalidInputException(_task.Source, "fewshot_config.prefix.file", $"{_task.Name}: {path} is not there");
        string text = JsonNode.Parse(File.ReadAllBytes(path))?[key]?["prefix"]?.ToString() ?? throw new InvalidInputException(path, key, "is missing, or has no prefix");
        return text.Split(_task.FewshotDelimiter, StringSplitOptions.RemoveEmptyEntries);
    }
}
