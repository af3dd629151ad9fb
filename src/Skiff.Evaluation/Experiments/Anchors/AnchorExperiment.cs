using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>
/// What anchors cost and save: bases trained under full attention, each trained on in several ways with equal tokens, then asked questions
/// behind prompts, beside caches that are made small without training.
/// </summary>
internal static class AnchorExperiment
{
    /// <summary>Budgets of policies that train nothing, percent of the entries; 12 and 6 stand for 12.5 and 6.25.</summary>
    public static IReadOnlyList<int> Budgets { get; } = [50, 25, 12, 10, 6, 1];

    /// <summary>Arms whose caches are measured in 8 bits too.</summary>
    public static IReadOnlyList<string> Narrow { get; } = [AnchorArm.Full, "ep", "ac-line", "near"];

    /// <summary>The experiment.</summary>
    public static Experiment Create() => new(
        "anchors", "Train models whose cache forgets closed segments, and compare quality, memory and time with full caches and training-free policies.",
        Steps, AnchorPage.Write)
    {
        Pictures = AnchorPage.Pictures,
    };

    /// <summary>The models of a run.</summary>
    public static IReadOnlyList<AnchorModelSize> Sizes(bool smoke) => smoke ? [AnchorModelSize.Smoke] : [AnchorModelSize.Small, AnchorModelSize.Medium];

    private static List<ExperimentStep> Steps(ExperimentSize whole)
    {
        bool smoke = whole == ExperimentSize.Smoke;
        AnchorMeasure measure = smoke ? AnchorMeasure.Smoke : new AnchorMeasure();
        List<ExperimentStep> steps = [new("prepare", 3, $"corpus 3 {smoke}", [], context => AnchorTraining.Prepare(context, smoke))];
        foreach (AnchorModelSize size in Sizes(smoke))
        {
            double weight = size.Name == "medium" ? 3.5 : 1;
            for (int s = 1; s <= size.Seeds; s++)
            {
                int seed = s;
                string model = $"{size.Name}-{seed}", full = $"{model}-{AnchorArm.Full}";
                steps.Add(new($"{model}-base", weight * size.BaseSteps * 0.15, $"{size}", ["prepare"], context => AnchorTraining.Base(context, size, seed)));
                foreach (AnchorArm arm in size.Arms)
                {
                    steps.Add(new($"{model}-{arm.Name}", weight * size.ArmSteps * 0.15, $"{arm} {size.ArmSteps}", [$"{model}-base"], context => AnchorTraining.Arm(context, size, seed, arm)));
                    steps.Add(new($"{model}-{arm.Name}-figures", weight * 40, $"{measure}", [$"{model}-{arm.Name}"], context => measure.Arm(context, size, seed, arm, smoke)));
                }

                steps.Add(new($"{model}-policies", weight * 60, $"{measure}", [full], context => measure.Policies(context, size, seed, smoke)));
                if (size.Name != "medium")
                    steps.Add(new($"{model}-stream", 30, $"{measure}", [full, $"{model}-near"], context => measure.Stream(context, size, seed, smoke)));
            }

            steps.Add(new($"{size.Name}-times", 30, $"{measure}", [$"{size.Name}-1-ep", $"{size.Name}-1-ac-line"], context => measure.Times(context, size, smoke)));
        }

        return steps;
    }
}

/// <summary>How much is measured.</summary>
internal sealed record AnchorMeasure
{
    public static AnchorMeasure Smoke { get; } = new() { Prompts = 3, Texts = 3, Names = 2, StreamTokens = 1500, Generated = 1000, Runs = 3 };

    /// <summary>Prompts of eight questions.</summary>
    public int Prompts { get; init; } = 500;

    /// <summary>Held-out texts.</summary>
    public int Texts { get; init; } = 80;

    /// <summary>Names asked in each cell.</summary>
    public int Names { get; init; } = 200;

    /// <summary>Tokens of the book.</summary>
    public int StreamTokens { get; init; } = 100_000;

    /// <summary>Tokens generated.</summary>
    public int Generated { get; init; } = 100_000;

    /// <summary>Timed runs of each way.</summary>
    public int Runs { get; init; } = 41;

    /// <summary>An arm: quality and cache under its own rule, and the same weights under full attention.</summary>
    public JsonObject Arm(ExperimentContext context, AnchorModelSize size, int seed, AnchorArm arm, bool smoke)
    {
        AnchorCorpus corpus = AnchorTraining.Corpus(context, smoke);
        Model model = Model.Open(AnchorTraining.ModelPath(context.Folder, size, seed, arm.Name));
        string[] texts = TextsOf(corpus);
        JsonObject figures = [];
        using (InferenceEngine engine = new(model))
        {
            AnchorItems items = new(engine, model.Tokenizer, corpus.HeldOutPassages);
            foreach (int shots in new[] { 0, 1, Episodes.Shots })
            {
                context.Note($"{shots}-shot");
                figures[$"shots{shots}"] = items.Ask(Prompts, shots, context.Stop);
            }

            figures["names"] = items.Names(Names, context.Stop);
            figures["cache"] = items.Cache(Math.Min(Prompts, 50));
            using InferenceEngine narrowPasses = new(model, new InferenceEngineOptions { MaxRows = 64 });
            figures["cache_short"] = new AnchorItems(narrowPasses, model.Tokenizer, corpus.HeldOutPassages).Cache(Math.Min(Prompts, 50));
            figures["text"] = AnchorText.Measure(engine, model.Tokenizer, texts, context.Stop);
        }

        if (AnchorExperiment.Narrow.Contains(arm.Name))
        {
            using InferenceEngine narrow = new(model, new InferenceEngineOptions { CacheType = TensorType.I8 });
            AnchorItems items = new(narrow, model.Tokenizer, corpus.HeldOutPassages);
            figures["shots5_int8"] = items.Ask(Prompts, Episodes.Shots, context.Stop);
            figures["cache_int8"] = items.Cache(Math.Min(Prompts, 50));
            figures["text_int8"] = AnchorText.Measure(narrow, model.Tokenizer, texts, context.Stop);
        }

        if (arm.Recipe is not null)
        {
            using InferenceEngine full = new(model, new InferenceEngineOptions { Cache = CacheKind.Full });
            figures["shots5_full"] = new AnchorItems(full, model.Tokenizer, corpus.HeldOutPassages).Ask(Prompts, Episodes.Shots, context.Stop);
            figures["text_full"] = AnchorText.Measure(full, model.Tokenizer, texts, context.Stop);
            return figures;
        }

        // The rule on a model that was not trained for it.
        using InferenceEngine untrained = new(model, new InferenceEngineOptions { Cache = CacheKind.Anchor, Anchors = AnchorTokens.Sentences(model.Tokenizer) });
        figures["shots5_untrained"] = new AnchorItems(untrained, model.Tokenizer, corpus.HeldOutPassages).Ask(Prompts, Episodes.Shots, context.Stop);
        figures["text_untrained"] = AnchorText.Measure(untrained, model.Tokenizer, texts, context.Stop);
        return figures;
    }

    /// <summary>Policies that train nothing, on the model with full attention.</summary>
    public JsonObject Policies(ExperimentContext context, AnchorModelSize size, int seed, bool smoke)
    {
        AnchorCorpus corpus = AnchorTraining.Corpus(context, smoke);
        Model model = Model.Open(AnchorTraining.ModelPath(context.Folder, size, seed, AnchorArm.Full));
        using InferenceEngine engine = new(model, new InferenceEngineOptions { CacheType = TensorType.F32 });
        AnchorItems items = new(engine, model.Tokenizer, corpus.HeldOutPassages);
        JsonObject figures = [];
        foreach (((SelectionPolicy policy, int percent), string answers) in items.Compressed(Prompts, AnchorExperiment.Budgets, AnchorTokens.Sentences(model.Tokenizer), context.Stop))
            figures[$"{policy}/{percent}"] = answers;
        return figures;
    }

    /// <summary>A long book, and a long text of the model's own.</summary>
    public JsonObject Stream(ExperimentContext context, AnchorModelSize size, int seed, bool smoke)
    {
        AnchorCorpus corpus = AnchorTraining.Corpus(context, smoke);
        Model anchored = Model.Open(AnchorTraining.ModelPath(context.Folder, size, seed, "near")), full = Model.Open(AnchorTraining.ModelPath(context.Folder, size, seed, AnchorArm.Full));
        JsonObject figures = new() { ["book"] = AnchorStreams.Read(anchored, full, corpus.HeldOutBook, StreamTokens, context.Stop) };
        if (seed == 1)
            figures["generated"] = AnchorStreams.Generate(anchored, Generated, context.Stop);
        return figures;
    }

    /// <summary>Times with a ready prefix, for anchors at sentences and at demonstrations.</summary>
    public JsonObject Times(ExperimentContext context, AnchorModelSize size, bool smoke)
    {
        AnchorCorpus corpus = AnchorTraining.Corpus(context, smoke);
        JsonObject figures = [];
        foreach (string arm in new[] { "ep", "ac-line" })
        {
            Model model = Model.Open(AnchorTraining.ModelPath(context.Folder, size, 1, arm));
            using InferenceEngine engine = new(model);
            AnchorItems items = new(engine, model.Tokenizer, corpus.HeldOutPassages);
            figures[arm] = AnchorTimes.Measure(model, items.Prefix(items.Prompt(0)[0], Episodes.Shots), [64, 128, 256, 512], Runs);
        }

        return figures;
    }

    private string[] TextsOf(AnchorCorpus corpus) => [.. corpus.HeldOutTexts.Where((_, i) => i % Math.Max(1, corpus.HeldOutTexts.Count / Texts) == 0).Take(Texts)];
}
