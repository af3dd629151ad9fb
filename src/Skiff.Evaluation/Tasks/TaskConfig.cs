using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>What a task asks of a model.</summary>
public enum TaskOutput
{
    /// <summary>Which of several continuations is likeliest.</summary>
    MultipleChoice,

    /// <summary>How likely one continuation is.</summary>
    Loglikelihood,

    /// <summary>How likely a whole text is.</summary>
    LoglikelihoodRolling,

    /// <summary>What is generated.</summary>
    GenerateUntil,
}

/// <summary>A task as lm-evaluation-harness describes one in YAML: its data, its prompts and how answers are scored.</summary>
public sealed record TaskConfig
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Where it was read from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>What is asked.</summary>
    public required TaskOutput Output { get; init; }

    /// <summary>The data set: a name of Hugging Face's hub, a folder, or <c>json</c>, <c>csv</c>, <c>parquet</c> with files.</summary>
    public string? DatasetPath { get; init; }

    /// <summary>A part of the data set.</summary>
    public string? DatasetName { get; init; }

    /// <summary>Files of each split.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> DataFiles { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Keeps documents alone whose field has a value.</summary>
    public IReadOnlyDictionary<string, string> Where { get; init; } = new Dictionary<string, string>();

    /// <summary>The split that is measured on: the test split, or else that of validation.</summary>
    public required string Split { get; init; }

    /// <summary>The split that demonstrations are taken from.</summary>
    public string? FewshotSplit { get; init; }

    /// <summary>The prompt: a Jinja template, or a field's name.</summary>
    public required string DocToText { get; init; }

    /// <summary>The answer: a template, a field's name, or the number of a choice.</summary>
    public JsonNode? DocToTarget { get; init; }

    /// <summary>The choices: a list, a template that prints one, or a field's name.</summary>
    public JsonNode? DocToChoice { get; init; }

    /// <summary>A template in front of all demonstrations.</summary>
    public string Description { get; init; } = "";

    /// <summary>Between a prompt and its answer.</summary>
    public string TargetDelimiter { get; init; } = " ";

    /// <summary>Behind each demonstration.</summary>
    public string FewshotDelimiter { get; init; } = "\n\n";

    /// <summary>Demonstrations, unless others are asked for.</summary>
    public int NumFewshot { get; init; }

    /// <summary>Where demonstrations come from.</summary>
    public FewshotConfig Fewshot { get; init; } = new();

    /// <summary>What is counted.</summary>
    public required IReadOnlyList<MetricConfig> Metrics { get; init; }

    /// <summary>Ways to find the answer in what was generated, each scored by itself.</summary>
    public IReadOnlyList<FilterConfig> Filters { get; init; } = [new("none", [])];

    /// <summary>Texts that end a generation.</summary>
    public IReadOnlyList<string> Until { get; init; } = [];

    /// <summary>Tokens generated at most.</summary>
    public int MaxGenToks { get; init; } = 256;

    /// <summary>Of <c>metadata</c>.</summary>
    public string Version { get; init; } = "";
}

/// <summary>How demonstrations are chosen.</summary>
public sealed record FewshotConfig
{
    /// <summary>The first of the split rather than random ones.</summary>
    public bool FirstN { get; init; }

    /// <summary>Demonstrations written out, as documents.</summary>
    public IReadOnlyList<JsonObject> Samples { get; init; } = [];

    /// <summary>A JSON file, and the key of the entry whose <c>prefix</c> is the text of demonstrations.</summary>
    public (string File, string Key)? Prefix { get; init; }
}

/// <summary>A metric of a task.</summary>
/// <param name="Name">Which: acc, acc_norm, exact_match...</param>
/// <param name="HigherIsBetter">As the table's arrow says.</param>
public sealed record MetricConfig(string Name, bool HigherIsBetter)
{
    /// <summary>exact_match: letters' case does not matter.</summary>
    public bool IgnoreCase { get; init; }

    /// <summary>exact_match: punctuation does not matter.</summary>
    public bool IgnorePunctuation { get; init; }

    /// <summary>exact_match: patterns that are taken out first.</summary>
    public IReadOnlyList<string> RegexesToIgnore { get; init; } = [];
}

/// <summary>Steps that find an answer in a generation.</summary>
/// <param name="Name">What the table calls them.</param>
/// <param name="Steps">In order, each with its <c>function</c>.</param>
public sealed record FilterConfig(string Name, IReadOnlyList<JsonObject> Steps);
