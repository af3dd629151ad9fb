using System.Text.Json.Nodes;
using Skiff.Evaluation;
using Skiff.Tensors;

namespace Skiff.Tests.Evaluation;

/// <summary>What tasks ask: items, prompts and continuations.</summary>
public sealed class TaskPromptTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static TaskData Data() => new(Path.GetDirectoryName(Path.GetDirectoryName(Skiff.Tests.Data.File("eval", "arc_easy.jsonl.gz")))!);

    // The same numbers as Python's random.Random(1234).sample gives, one call after the other.
    [Fact]
    public void DemonstrationsAreDrawnAsPythonDraws()
    {
        PythonRandom random = new(1234);
        Assert.Equal([99, 56, 14, 0, 11], random.Sample(100, 5));
        Assert.Equal([7462, 6610, 4769, 286, 5501, 5677], random.Sample(7473, 6));
        Assert.Equal([2, 3, 11, 7, 0, 15, 12, 14, 5, 10], random.Sample(20, 10));
    }

    [Theory]
    [InlineData("['a', \"b's\", 3]", "a", "b's", "3")]
    [InlineData("[]")]
    [InlineData("['x\\n\\'y\\'', '\\u00e4']", "x\n'y'", "ä")]
    [InlineData("('no', 'yes')", "no", "yes")]
    public void ListsAreReadAsPythonPrintsThem(string text, params string[] items) => Assert.Equal(items, PythonLiteral.List(text));

    [Theory]
    [InlineData("no list")]
    [InlineData("['a' 'b']")]
    [InlineData("['a]")]
    [InlineData("[a, b]")]
    public void OtherTextsAreNoLists(string text) => Assert.Null(PythonLiteral.List(text));

    [Theory]
    [InlineData("arc_easy", 1188, 4)]
    [InlineData("arc_challenge", 586, 4)]
    [InlineData("openbookqa", 250, 4)]
    [InlineData("piqa", 919, 2)]
    [InlineData("social_iqa", 977, 3)]
    [InlineData("hellaswag", 500, 4)]
    [InlineData("boolq", 1635, 2)]
    [InlineData("commonsense_qa", 611, 5)]
    [InlineData("winogrande", 634, 2)]
    [InlineData("wsc273", 137, 2)]
    [InlineData("copa", 50, 2)]
    [InlineData("sciq", 500, 4)]
    [InlineData("lambada_openai", 2577, 1)]
    [InlineData("basic_arithmetic", 1500, 4)]
    [InlineData("blimp", 33500, 2)]
    [InlineData("truthfulqa_mc1", 409, 0)]
    [InlineData("truthfulqa_mc2", 409, 0)]
    [InlineData("gsm8k", 660, 1)]
    [InlineData("wikitext", 60, 1)]
    public void EveryDocumentAsks(string name, int documents, int requests)
    {
        TaskConfig task = Assert.Single(new TaskLibrary().Find([name]));
        TaskItem[] items = [.. new TaskPrompts(task, Data(), shots: 0).Items()];
        Assert.Equal(documents, items.Length);
        Assert.All(items, item => Assert.True(requests == 0 ? item.Requests.Count > 1 : name == "arc_easy" || name == "arc_challenge" ? item.Requests.Count is >= 3 and <= 5 : item.Requests.Count == requests, $"{item.Id}: {item.Requests.Count}"));
        if (task.Output == TaskOutput.MultipleChoice)
            Assert.All(items, item => Assert.All(item.Gold, gold => Assert.InRange(gold, 0, item.Choices.Count - 1)));
    }

    // The published text of demonstrations, byte for byte, and what stands behind it.
    [Theory]
    [InlineData("arc_easy")]
    [InlineData("arc_challenge")]
    [InlineData("piqa")]
    [InlineData("social_iqa")]
    [InlineData("commonsense_qa")]
    [InlineData("hellaswag")]
    [InlineData("boolq")]
    [InlineData("openbookqa")]
    [InlineData("winogrande")]
    public void OlmesDemonstrationsAreExact(string name)
    {
        JsonNode published = JsonNode.Parse(File.ReadAllBytes(Skiff.Tests.Data.File("eval", "olmes_5shot_prefixes.json")))![name]!;
        TaskConfig task = Assert.Single(new TaskLibrary().Find([name]));
        string five = new TaskPrompts(task, Data(), shots: 5).Items(1).Single().Requests[0].Context, none = new TaskPrompts(task, Data(), shots: 0).Items(1).Single().Requests[0].Context;
        Assert.Equal(published["prefix"]!.ToString() + none, five);
        Assert.EndsWith(published["example_context_tail"]!.ToString(), none, StringComparison.Ordinal);
    }

    [Fact]
    public void AQuestionIsAskedAsTheHarnessAsks()
    {
        TaskItem item = Items("boolq").First();
        Assert.EndsWith("?\nAnswer:", item.Requests[0].Context, StringComparison.Ordinal);
        Assert.Equal([" no", " yes"], item.Requests.Select(request => request.Continuation));
        TaskItem slot = Items("winogrande").First();
        Assert.Equal("Sarah was a much better surgeon than Maria so Sarah", slot.Requests[0].Context);
        Assert.Equal("Sarah was a much better surgeon than Maria so Maria", slot.Requests[1].Context);
        Assert.Equal(" always got the easier cases.", slot.Requests[1].Continuation);
        TaskItem copa = Items("copa").First();
        Assert.Equal("The man turned on the faucet therefore", copa.Requests[0].Context);
        Assert.Equal(" the toilet filled with water.", copa.Requests[0].Continuation);
        TaskItem mmlu = new TaskPrompts(new TaskLibrary().Find(["mmlu"])[0], Data(), shots: 2).Items(1).Single();
        Assert.StartsWith("The following are multiple choice questions (with answers) about abstract algebra.\n\nFind all c in Z_3", mmlu.Requests[0].Context, StringComparison.Ordinal);
        Assert.Equal(3, mmlu.Requests[0].Context.Split("Answer:").Length - 1);
        Assert.Equal([" A", " B", " C", " D"], mmlu.Requests.Select(request => request.Continuation));
        Assert.Equal(57, new TaskLibrary().Find(["mmlu"]).Count);
        Assert.Equal(7021, new TaskLibrary().Find(["mmlu"]).Sum(task => new TaskPrompts(task, Data()).Items().Count()));
    }

    // A user's file with a base, demonstrations from the split itself, and filters.
    [Fact]
    public void AUsersFileIsRead()
    {
        File.WriteAllText(_folder.File("docs.jsonl"), string.Concat(Enumerable.Range(0, 4).Select(i => $$"""{"q": "{{i}} + 1", "a": "{{i + 1}}"}""" + "\n")));
        File.WriteAllText(_folder.File("base.yaml"), "dataset_path: json\noutput_type: generate_until\nvalidation_split: validation\ndoc_to_text: 'Q: {{q}}\n\n  A:'\ntag: sums\n");
        File.WriteAllText(_folder.File("sums.yaml"), """
            include: base.yaml
            task: sums
            dataset_kwargs: {data_files: {validation: docs.jsonl}}
            doc_to_target: a
            num_fewshot: 2
            fewshot_config: {sampler: first_n}
            generation_kwargs: {until: ["\n"], max_gen_toks: 4, do_sample: false, temperature: 0.0}
            metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_punctuation: true}]
            filter_list: [{name: digits, filter: [{function: regex, regex_pattern: "([0-9]+)", group_select: -1}, {function: take_first}]}]
            metadata: {version: 2.0}
            """);
        TaskConfig task = Assert.Single(new TaskLibrary().Find([_folder.File("sums.yaml")]));
        Assert.Equal((4, "2", 2), (task.MaxGenToks, task.Version, task.NumFewshot));
        TaskItem[] items = [.. new TaskPrompts(task, new TaskData(_folder.Path)).Items()];
        // The document itself is no demonstration.
        Assert.Equal("Q: 1 + 1\nA: 2\n\nQ: 2 + 1\nA: 3\n\nQ: 0 + 1\nA:", items[0].Requests[0].Context);
        Assert.Equal("Q: 0 + 1\nA: 1\n\nQ: 1 + 1\nA: 2\n\nQ: 3 + 1\nA:", items[3].Requests[0].Context);
        Assert.Equal("7", TaskFilters.Apply(task.Filters[0], "so 3 and 4 are 7."));
        Assert.Equal("[invalid]", TaskFilters.Apply(task.Filters[0], "none"));
        Assert.Equal(1, TaskMetrics.Generation(task.Metrics[0], "7.", "7").Value);
    }

    [Theory]
    [InlineData("doc_to_txt: x", "doc_to_txt: is no key here; did you mean doc_to_text?")]
    [InlineData("process_docs: !function utils.f", "asks for Python")]
    [InlineData("output_type: winner_takes_all", "'winner_takes_all' is none of")]
    [InlineData("metric_list: [{metric: bleu}]", "'bleu' is none of those of its output_type")]
    [InlineData("repeats: 3", "repeats: must be 1")]
    [InlineData("generation_kwargs: {do_sample: true, temperature: 0.7}", "generation_kwargs.do_sample: must be false")]
    public void WhatWouldChangeAScoreIsRefused(string line, string problem)
    {
        string yaml = "task: t\ndata_files: {test: d.jsonl}\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n";
        File.WriteAllText(_folder.File("t.yaml"), line.StartsWith("output_type", StringComparison.Ordinal) ? yaml + line : yaml + "output_type: generate_until\n" + line);
        Assert.Contains(problem, Assert.Throws<InvalidInputException>(() => new TaskLibrary().Find([_folder.File("t.yaml")])).Message);
    }

    [Fact]
    public void MissingDataAndDocumentsThatDoNotFitAreNamed()
    {
        File.WriteAllText(_folder.File("t.yaml"), "task: t\noutput_type: multiple_choice\ndata_files: {test: d.jsonl}\ntest_split: test\ndoc_to_text: '{{q}}'\ndoc_to_choice: choices\ndoc_to_target: gold\n");
        TaskConfig task = new TaskLibrary().Find([_folder.File("t.yaml")])[0];
        Assert.Contains("t: ", Refusal());
        Assert.Contains("d.jsonl is not there", Refusal());
        Write("""{"q": "x", "choices": [], "gold": 0}""");
        Assert.Contains("t, document 0: doc_to_choice: gives no choice", Refusal());
        Write("""{"q": "x", "choices": ["a"], "gold": 3}""");
        Assert.Contains("document 0: doc_to_target: gives choice 3 of 1", Refusal());
        Write("""{"choices": ["a"], "gold": 0}""");
        Assert.Contains("document 0", Refusal());
        Write("""{"q": "x", "choices": ["a"], "gold": 0}""");
        Assert.Contains("2 demonstrations are asked for, and there are 0", Assert.Throws<InvalidInputException>(() => new TaskPrompts(task, new TaskData(_folder.Path), 2)).Message);
        Assert.Contains("is no task here; did you mean arc_easy?", Assert.Throws<InvalidInputException>(() => new TaskLibrary().Find(["arc_eazy"])).Message);

        void Write(string line) => File.WriteAllText(_folder.File("d.jsonl"), line + "\n");

        string Refusal() => Assert.Throws<InvalidInputException>(() => new TaskPrompts(task, new TaskData(_folder.Path), 0).Items().ToArray()).Message;
    }

    private static IEnumerable<TaskItem> Items(string name) => new TaskPrompts(new TaskLibrary().Find([name])[0], Data(), shots: 0).Items();
}
