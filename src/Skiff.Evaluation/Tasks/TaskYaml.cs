using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Evaluation;

/// <summary>Reads tasks and groups in lm-evaluation-harness's YAML; a key that would change a score and is not known here is refused.</summary>
internal sealed class TaskYaml
{
    // What changes no score here: descriptions, decontamination, how the harness lists tasks.
    private static readonly string[] s_known =
    [
        "task", "task_alias", "tag", "include", "dataset_path", "dataset_name", "dataset_kwargs", "data_files", "where", "output_type", "training_split", "validation_split", "test_split", "fewshot_split",
        "doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter", "fewshot_delimiter", "num_fewshot", "fewshot_config", "metric_list", "filter_list", "generation_kwargs", "repeats",
        "should_decontaminate", "doc_to_decontamination_query", "metadata", "unsafe_code", "gen_prefix",
    ];

    private static readonly string[] s_group = ["group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"];

    private readonly JsonObject _keys;
    private readonly string _source;

    private TaskYaml(JsonObject keys, string source) => (_keys, _source) = (keys, source);

    /// <summary>The keys of a file, those of what it includes below them.</summary>
    /// <exception cref="InvalidInputException">It is no such file.</exception>
    public static JsonObject Keys(string path, Func<string, string> read)
    {
        RecipeNode root = RecipeYaml.Parse(read(path), path);
        if (root.ToJson("task") is not JsonObject keys)
            throw new InvalidInputException(path, "task", "must be a mapping of keys");
        if (keys["include"]?.ToString() is { } included)
        {
            JsonObject below = Keys(Path.Combine(Path.GetDirectoryName(path) ?? "", included), read);
            foreach ((string key, JsonNode? value) in below)
            {
                if (!keys.ContainsKey(key))
                    keys[key] = value?.DeepClone();
            }

            keys.Remove("include");
        }

        return keys;
    }

    /// <summary>A task of its keys.</summary>
    /// <exception cref="InvalidInputException">Names the key.</exception>
    public static TaskConfig Task(JsonObject keys, string source) => new TaskYaml(keys, source).Task();

    /// <summary>A group's name and its members.</summary>
    public static (string Name, IReadOnlyList<string> Tasks)? Group(JsonObject keys, string source)
    {
        if (keys["group"] is null && keys["task"] is not JsonArray)
            return null;
        new TaskYaml(keys, source).Refuse(keys, s_group);
        return keys["task"] is JsonArray tasks && keys["group"] is { } name
            ? (name.ToString(), [.. tasks.Select(task => task is JsonValue ? task.ToString() : throw new InvalidInputException(source, "task", "must be a list of names"))])
            : throw new InvalidInputException(source, "group", "must have a name, and task a list of names");
    }

    private TaskConfig Task()
    {
        Refuse(_keys, s_known);
        string name = Text("task") ?? throw new InvalidInputException(_source, "task", "is missing: a task needs a name");
        TaskOutput output = (Text("output_type") ?? "generate_until") switch
        {
            "multiple_choice" => TaskOutput.MultipleChoice,
            "loglikelihood" => TaskOutput.Loglikelihood,
            "loglikelihood_rolling" => TaskOutput.LoglikelihoodRolling,
            "generate_until" => TaskOutput.GenerateUntil,
            var other => throw new InvalidInputException(_source, "output_type", $"'{other}' is none of multiple_choice, loglikelihood, loglikelihood_rolling, generate_until"),
        };
        if (output == TaskOutput.MultipleChoice && _keys["doc_to_choice"] is null)
            throw new InvalidInputException(_source, "doc_to_choice", "is missing: a task of several choices names them");
        if (Number("repeats", 1) != 1)
            throw new InvalidInputException(_source, "repeats", "must be 1: generation is greedy, so all would be the same");
        if (Text("gen_prefix") is not null)
            throw new InvalidInputException(_source, "gen_prefix", "is not done here: write it into doc_to_text");
        string? test = Text("test_split"), validation = Text("validation_split"), training = Text("training_split");
        return new TaskConfig
        {
            Name = name,
            Source = _source,
            Output = output,
            DatasetPath = Text("dataset_path"),
            DatasetName = Text("dataset_name"),
            DataFiles = Files(_keys["data_files"] ?? _keys["dataset_kwargs"]?["data_files"]),
            Where = _keys["where"] is JsonObject where ? where.ToDictionary(pair => pair.Key, pair => pair.Value?.ToString() ?? "") : new Dictionary<string, string>(),
            Split = test ?? validation ?? throw new InvalidInputException(_source, "test_split", "is missing: name the split to measure on"),
            FewshotSplit = Text("fewshot_split") ?? Nested("fewshot_config", "split")?.ToString() ?? training ?? validation ?? test,
            DocToText = Text("doc_to_text") ?? (output == TaskOutput.LoglikelihoodRolling ? "" : throw new InvalidInputException(_source, "doc_to_text", "is missing: it makes the prompt")),
            DocToTarget = _keys["doc_to_target"]?.DeepClone(),
            DocToChoice = _keys["doc_to_choice"]?.DeepClone(),
            Description = Text("description") ?? "",
            TargetDelimiter = Text("target_delimiter") ?? " ",
            FewshotDelimiter = Text("fewshot_delimiter") ?? "\n\n",
            NumFewshot = (int)Number("num_fewshot", 0),
            Fewshot = Fewshot(),
            Metrics = Metrics(output),
            Filters = Filters(),
            Until = Nested("generation_kwargs", "until") is { } until ? Texts(until) : [Text("fewshot_delimiter") ?? "\n\n"],
            MaxGenToks = Generation(),
            Version = Nested("metadata", "version")?.ToString() ?? "",
        };
    }

    private static Dictionary<string, IReadOnlyList<string>> Files(JsonNode? node) => node switch
    {
        null => [],
        JsonObject splits => splits.ToDictionary(pair => pair.Key, pair => Texts(pair.Value)),
        _ => new Dictionary<string, IReadOnlyList<string>> { ["train"] = Texts(node) },
    };

    private FewshotConfig Fewshot()
    {
        if (_keys["fewshot_config"] is not { } node)
            return new FewshotConfig();
        JsonObject keys = node as JsonObject ?? throw new InvalidInputException(_source, "fewshot_config", "must be a mapping of keys");
        Refuse(keys, ["sampler", "samples", "split", "prefix"]);
        string sampler = keys["sampler"]?.ToString() ?? "default";
        if (sampler is not ("default" or "first_n"))
            throw new InvalidInputException(_source, "fewshot_config.sampler", $"'{sampler}' is neither default nor first_n");
        return new FewshotConfig
        {
            FirstN = sampler == "first_n",
            Samples = keys["samples"] is JsonArray samples ? [.. samples.Select(sample => sample as JsonObject ?? throw new InvalidInputException(_source, "fewshot_config.samples", "must be a list of documents"))] : [],
            Prefix = keys["prefix"] is { } prefix
                ? (prefix["file"]?.ToString() ?? throw new InvalidInputException(_source, "fewshot_config.prefix.file", "is missing"), prefix["key"]?.ToString() ?? throw new InvalidInputException(_source, "fewshot_config.prefix.key", "is missing"))
                : null,
        };
    }

    private IReadOnlyList<MetricConfig> Metrics(TaskOutput output)
    {
        if (_keys["metric_list"] is not JsonArray list)
        {
            return output switch
            {
                TaskOutput.MultipleChoice => [new("acc", true), new("acc_norm", true)],
                TaskOutput.Loglikelihood => [new("perplexity", false), new("acc", true)],
                TaskOutput.LoglikelihoodRolling => [new("word_perplexity", false), new("byte_perplexity", false), new("bits_per_byte", false)],
                _ => [new("exact_match", true)],
            };
        }

        return [.. list.Select((item, i) =>
        {
            JsonObject keys = item as JsonObject ?? throw new InvalidInputException(_source, $"metric_list.{i}", "must be a mapping of keys");
            Refuse(keys, ["metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation", "regexes_to_ignore", "weight_by_size"]);
            string name = keys["metric"]?.ToString() ?? throw new InvalidInputException(_source, $"metric_list.{i}.metric", "is missing");
            if (!TaskMetrics.Of(output).Contains(name))
                throw new InvalidInputException(_source, $"metric_list.{i}.metric", $"'{name}' is none of those of its output_type: {string.Join(", ", TaskMetrics.Of(output))}");
            return new MetricConfig(name, keys["higher_is_better"] is not JsonValue better || better.ToString() == "true")
            {
                IgnoreCase = keys["ignore_case"]?.ToString() == "true",
                IgnorePunctuation = keys["ignore_punctuation"]?.ToString() == "true",
                RegexesToIgnore = keys["regexes_to_ignore"] is { } regexes ? Texts(regexes) : [],
            };
        })];
    }

    private IReadOnlyList<FilterConfig> Filters()
    {
        if (_keys["filter_list"] is not JsonArray list)
            return [new("none", [])];
        return [.. list.Select((item, i) => new FilterConfig(
            item?["name"]?.ToString() ?? throw new InvalidInputException(_source, $"filter_list.{i}.name", "is missing"),
            [.. (item["filter"] as JsonArray ?? throw new InvalidInputException(_source, $"filter_list.{i}.filter", "must be a list of steps")).Select((step, k) =>
                step is JsonObject keys && TaskFilters.Knows(keys["function"]?.ToString()) ? keys : throw new InvalidInputException(_source, $"filter_list.{i}.filter.{k}.function", $"must be one of {TaskFilters.Names}"))]))];
    }

    private int Generation()
    {
        if (_keys["generation_kwargs"] is not JsonObject keys)
            return 256;
        Refuse(keys, ["until", "max_gen_toks", "max_new_tokens", "max_tokens", "do_sample", "temperature", "top_p", "top_k"]);
        bool samples = keys["do_sample"]?.ToString() == "true" && keys["temperature"] is { } temperature && double.Parse(temperature.ToString(), CultureInfo.InvariantCulture) > 0;
        if (samples)
            throw new InvalidInputException(_source, "generation_kwargs.do_sample", "must be false: generation is greedy here, so that scores come out the same again");
        return (keys["max_gen_toks"] ?? keys["max_new_tokens"] ?? keys["max_tokens"]) is JsonValue most && most.TryGetValue(out long count) && count is > 0 and < 1 << 20 ? (int)count : 256;
    }

    private void Refuse(JsonObject keys, string[] known)
    {
        foreach ((string key, JsonNode? _) in keys)
        {
            if (key is "process_docs" or "process_results" or "custom_dataset")
                throw new InvalidInputException(_source, key, "asks for Python, which is not run here: say it as a template");
            if (!known.Contains(key))
                throw new InvalidInputException(_source, key, RecipeBinder.Unknown(key, known));
        }
    }

    private JsonNode? Nested(string outer, string inner) => _keys[outer] is JsonObject keys ? keys[inner] : null;

    private string? Text(string key) => _keys[key] switch
    {
        null => null,
        JsonValue value => value.ToString(),
        _ => throw new InvalidInputException(_source, key, "must be a text"),
    };

    private double Number(string key, double absent) => _keys[key] switch
    {
        null => absent,
        JsonValue value when double.TryParse(value.ToString(), CultureInfo.InvariantCulture, out double number) => number,
        _ => throw new InvalidInputException(_source, key, "must be a number"),
    };

    private static IReadOnlyList<string> Texts(JsonNode? node) => node is JsonArray list ? [.. list.Select(item => item?.ToString() ?? "")] : [node?.ToString() ?? ""];
}
