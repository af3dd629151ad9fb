using System.Text;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>How tasks are run.</summary>
public sealed record TaskOptions
{
    /// <summary>Demonstrations, or null for each task's own number.</summary>
    public int? Shots { get; init; }

    /// <summary>The first so many documents of each task, or all.</summary>
    public int? Limit { get; init; }

    /// <summary>Draws demonstrations.</summary>
    public uint Seed { get; init; } = TaskPrompts.FewshotSeed;

    /// <summary>Cut prompts that are longer than the context rather than refuse them.</summary>
    public bool Truncate { get; init; }

    /// <summary>Puts prompts into the model's chat template as a user's turn.</summary>
    public bool ApplyChatTemplate { get; init; }
}

/// <summary>What a task gave.</summary>
/// <param name="Task">Which.</param>
/// <param name="Shots">Demonstrations.</param>
/// <param name="Items">Documents.</param>
/// <param name="Truncated">Prompts that were cut.</param>
/// <param name="Values">Each metric by filter: its parts, item by item.</param>
public sealed record TaskResult(TaskConfig Task, int Shots, int Items, int Truncated, IReadOnlyList<TaskValue> Values);

/// <summary>A metric of a task under a filter.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Filter">The filter's name.</param>
/// <param name="Parts">Item by item.</param>
public sealed record TaskValue(MetricConfig Metric, string Filter, IReadOnlyList<MetricPart> Parts)
{
    /// <summary>Over all items, and its standard error; NaN where none is known.</summary>
    public (double Value, double Error) Result => TaskMetrics.Of(Metric, Parts);
}

/// <summary>Runs tasks on a model.</summary>
public sealed class TaskRunner : IDisposable
{
    private const int Together = 16;

    private readonly InferenceEngine _engine;
    private readonly Model _model;
    private readonly ContinuationScorer _scorer;
    private readonly TaskData _data;

    /// <summary>A runner over an engine, which stays the caller's.</summary>
    public TaskRunner(InferenceEngine engine, Model model, TaskData data) => (_engine, _model, _data, _scorer) = (engine, model, data, new ContinuationScorer(engine, model.Tokenizer));

    /// <summary>Runs a task.</summary>
    /// <param name="task">Which.</param>
    /// <param name="options">How.</param>
    /// <param name="sample">Told of each item when it is done: what was asked and what came.</param>
    /// <param name="progress">Told how many items are done, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">Names the task, and the document where there is one.</exception>
    public TaskResult Run(TaskConfig task, TaskOptions options, Action<TaskItem, JsonObject>? sample = null, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        TaskItem[] items = [.. new TaskPrompts(task, _data, options.Shots, options.Seed).Items(options.Limit).Select(item => options.ApplyChatTemplate ? Chat(item) : item)];
        int before = _scorer.Truncated;
        List<(MetricConfig Metric, string Filter, List<MetricPart> Parts)> values =
            [.. (task.Output == TaskOutput.GenerateUntil ? task.Filters : [new FilterConfig("none", [])]).SelectMany(filter => task.Metrics.Select(metric => (metric, filter.Name, new List<MetricPart>())))];
        int done = 0;
        foreach ((TaskItem item, MetricPart[] parts, JsonObject answer) in Answers(task, items, options, stop))
        {
            for (int v = 0; v < values.Count; v++)
                values[v].Parts.Add(parts[v]);
            sample?.Invoke(item, answer);
            progress?.Invoke(++done, items.Length);
        }

        return new TaskResult(task, options.Shots ?? task.NumFewshot, items.Length, _scorer.Truncated - before, [.. values.Select(value => new TaskValue(value.Metric, value.Filter, value.Parts))]);
    }

    /// <inheritdoc/>
    public void Dispose() => _scorer.Dispose();

    private IEnumerable<(TaskItem Item, MetricPart[] Parts, JsonObject Answer)> Answers(TaskConfig task, TaskItem[] items, TaskOptions options, CancellationToken stop)
    {
        string NameOf(int number) => $"{task.Name}, document {items[number].Id}";
        switch (task.Output)
        {
            case TaskOutput.GenerateUntil:
                foreach ((TaskItem item, string text) in Generated(task, items, stop))
                {
                    string[] found = [.. task.Filters.Select(filter => TaskFilters.Apply(filter, text))];
                    yield return (item, [.. found.SelectMany(answer => task.Metrics.Select(metric => TaskMetrics.Generation(metric, answer, item.Target)))],
                        new JsonObject { ["text"] = text, ["filtered"] = new JsonArray([.. found.Select(answer => (JsonNode)answer)]) });
                }

                break;
            case TaskOutput.LoglikelihoodRolling:
                foreach (TaskItem item in items)
                {
                    string text = item.Requests[0].Continuation;
                    ContinuationScore score = _scorer.Rolling(text, stop);
                    yield return (item, [.. task.Metrics.Select(metric => TaskMetrics.Rolling(metric, text, score.LogProbability))], new JsonObject { ["loglikelihood"] = score.LogProbability });
                }

                break;
            default:
                int number = 0;
                foreach (IReadOnlyList<ContinuationScore> scores in _scorer.Score(items.Select(item => item.Requests), options.Truncate, NameOf, stop))
                {
                    TaskItem item = items[number++];
                    double[] logs = [.. scores.Select(score => score.LogProbability)];
                    yield return (item,
                        [.. task.Metrics.Select(metric => task.Output == TaskOutput.MultipleChoice ? TaskMetrics.Choice(metric, item, logs) : TaskMetrics.Likelihood(metric, logs[0], scores[0].IsGreedy))],
                        new JsonObject { ["loglikelihoods"] = new JsonArray([.. scores.Select(score => (JsonNode)new JsonArray(score.LogProbability, score.IsGreedy))]) });
                }

                break;
        }
    }

    // Greedy texts, many at a time, in the items' order.
    private IEnumerable<(TaskItem Item, string Text)> Generated(TaskConfig task, TaskItem[] items, CancellationToken stop)
    {
        using Scheduler scheduler = new(_engine, _model.Tokenizer, new SchedulerOptions { MaxRunning = Together, KeptSequences = 1 });
        Generator generator = new(_engine, _model.Tokenizer);
        Queue<(TaskItem Item, Task<string> Text)> running = new();
        for (int next = 0; next < items.Length || running.Count > 0;)
        {
            while (next < items.Length && running.Count < 2 * Together)
                running.Enqueue((items[next], One(items[next++])));
            (TaskItem item, Task<string> text) = running.Dequeue();
            yield return (item, text.GetAwaiter().GetResult());
        }

        async Task<string> One(TaskItem item)
        {
            int[] prompt = generator.PromptIds(item.Requests[0].Context);
            int room = _engine.MaxPositions - prompt.Length + 1;
            if (room < 1)
                throw new InvalidInputException($"{task.Name}, document {item.Id}", "tokens", $"{prompt.Length} are more than this model's context of {_engine.MaxPositions}: ask for fewer demonstrations");
            StringBuilder text = new();
            GenerationOptions generation = new() { MaxTokens = Math.Min(room, task.MaxGenToks), Stop = task.Until, EndIds = [.. generator.EndIds.Union(_model.EndIds)] };
            await foreach (GeneratedToken token in scheduler.Submit(prompt, new Sampler(new SamplingOptions { Temperature = 0 }, _engine.VocabularySize), generation, stop: stop).ConfigureAwait(false))
                text.Append(token.Text);
            return text.ToString();
        }
    }

    private TaskItem Chat(TaskItem item)
    {
        ChatTemplate template = ChatTemplate.Of(_model.Tokenizer) ?? throw new InvalidInputException(_model.Path, "chat_template", "is missing: leave --apply_chat_template out");
        return item with { Requests = [.. item.Requests.Select(request => request with { Context = template.Apply([new ChatMessage("user", request.Context)], addGenerationPrompt: true) })] };
    }
}
