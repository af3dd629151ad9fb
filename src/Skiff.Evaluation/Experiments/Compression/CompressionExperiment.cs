using System.Text;
using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>
/// What pruning and distillation bring (Minitron, arXiv 2407.14679 and 2408.11796), in a world that a million parameters can learn: students of
/// half and a quarter of their teacher's size, by importance or not, with its guidance or not, and trained from scratch.
/// </summary>
internal static class CompressionExperiment
{
    private const int Seeds = 3;

    /// <summary>The experiment.</summary>
    public static Experiment Create() => new(
        "compression", "Prune a model to half and a quarter, teach what is left, and compare with training from scratch, loss by loss and skill by skill.", Steps, CompressionPage.Write);

    private static List<ExperimentStep> Steps(bool smoke)
    {
        int seeds = smoke ? 1 : Seeds, items = smoke ? 20 : 400;
        List<ExperimentStep> steps = [new("prepare", 5, $"worlds 2 {smoke}", context => CompressionTraining.Prepare(context, seeds, smoke))];
        for (int s = 1; s <= seeds; s++)
        {
            int seed = s;
            steps.Add(new($"teacher-{seed}", 400, $"teacher {smoke}", context => CompressionTraining.TrainTeacher(context, seed, smoke)));
            steps.Add(new($"teacher-{seed}-figures", 10, $"figures {items}", context => Measure(context, "teacher", seed, items)));
            foreach (CompressionArm arm in CompressionArm.All)
            {
                steps.Add(new($"{arm.Name}-{seed}", 25 * arm.Budget, $"{arm} {smoke}", context => CompressionTraining.TrainStudent(context, arm, seed, smoke)));
                steps.Add(new($"{arm.Name}-{seed}-figures", 10, $"figures {items}", context => Measure(context, arm.Name, seed, items)));
            }
        }

        steps.Add(new("speed", 30, "speed 301", Speed));
        steps.Add(new("quantization", 60, $"quantization {items}", context => Quantization(context, items, smoke ? ["q4_0"] : QuantizationFigures.Types)));
        return steps;
    }

    // On fresh texts, the same for all students of a world.
    private static JsonObject Measure(ExperimentContext context, string name, int seed, int items)
    {
        Model model = Model.Open(CompressionTraining.ModelPath(context, name, seed)), teacher = Model.Open(CompressionTraining.ModelPath(context, "teacher", seed));
        TinyWorld world = CompressionTraining.World(seed);
        SplitMix64 random = new((ulong)(5000 + seed));
        Memory<int>[] samples = Fresh(model, world, random, items / 4);
        ModelDivergence divergence = ModelDivergence.Measure(teacher, model, samples, context.Stop);
        JsonObject figures = new() { ["loss"] = divergence.Loss, ["kl"] = divergence.Kl, ["same_top"] = divergence.SameTop };
        using InferenceEngine engine = new(model);
        foreach (WorldSkill skill in Enum.GetValues<WorldSkill>())
        {
            int right = 0;
            for (int i = 0; i < items; i++)
            {
                context.Stop.ThrowIfCancellationRequested();
                right += IsRight(engine, model.Tokenizer, world.Item(skill, random)) ? 1 : 0;
            }

            figures[skill.ToString()] = (double)right / items;
        }

        return figures;
    }

    private static Memory<int>[] Fresh(Model model, TinyWorld world, SplitMix64 random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => model.Tokenizer.Encode(world.Text(random), addSpecial: true).AsMemory())];

    // The teacher, and the trained model of the data folder where that is there.
    private static JsonObject Quantization(ExperimentContext context, int items, IReadOnlyList<string> types)
    {
        Model teacher = Model.Open(CompressionTraining.ModelPath(context, "teacher", 1));
        string folder = Path.Combine(context.Folder, "work", "quantized"), stories = Path.Combine(context.Data, "models", "stories260k"), text = Path.Combine(context.Data, "text");
        JsonObject figures = new()
        {
            ["the teacher"] = QuantizationFigures.Measure(
                teacher, CompressionTraining.Calibration(context, 1), Fresh(teacher, CompressionTraining.World(1), new SplitMix64(7001), items / 4), types, Path.Combine(folder, "teacher"), context.Stop),
        };
        if (File.Exists(Path.Combine(stories, "stories260K.bin")))
        {
            Model model = Model.Open(Path.Combine(stories, "stories260K.bin"), Path.Combine(stories, "tok512.bin"));
            figures["stories260K"] = QuantizationFigures.Measure(
                model, Path.Combine(text, "tinystories-v1-train.jsonl.gz"), CalibrationText.Samples(model, Path.Combine(text, "tinystories-v2-gpt4.jsonl.gz"), items / 4, 256), types, Path.Combine(folder, "stories"), context.Stop);
        }

        return figures;
    }

    // An answer is known by its first token.
    private static bool IsRight(InferenceEngine engine, Tokenizer tokenizer, EpisodeItem item)
    {
        float[] logits = new float[engine.VocabularySize];
        using InferenceSequence sequence = engine.CreateSequence();
        engine.Forward([new SequenceTokens(sequence, tokenizer.Encode(string.Join(' ', item.Context.Append(item.Question)), addSpecial: true))], logits);
        int[] firsts = [.. item.Choices.Select(choice => tokenizer.Encode(choice, addSpecial: false)[0])];
        return Enumerable.Range(0, firsts.Length).MaxBy(i => logits[firsts[i]]) == item.Gold;
    }

    // Rounds of milliseconds: on a busy machine a few of them tell nothing.
    private static JsonObject Speed(ExperimentContext context)
    {
        Model teacher = Model.Open(CompressionTraining.ModelPath(context, "teacher", 1));
        JsonObject figures = [];
        foreach (string name in new[] { "width-kl", "depth-kl", "quarter-kl" })
            figures[name] = ShapeSpeed.Ratio(teacher, Model.Open(CompressionTraining.ModelPath(context, name, 1)), rounds: 301);
        return figures;
    }
}

/// <summary>The compression experiment's figures as tables.</summary>
internal static class CompressionPage
{
    public static string Write(IReadOnlyDictionary<string, JsonObject> figures)
    {
        int[] seeds = [.. Enumerable.Range(1, 3).Where(seed => figures.ContainsKey($"teacher-{seed}-figures"))];
        StringBuilder page = new();
        Markdown.Title(page, "Students of the tiny world");
        List<string[]> rows = [["student", "parameters without embeddings", "tokens", "loss, nats", "KL to the teacher", "same likeliest token", .. Enum.GetNames<WorldSkill>()], Row("teacher", "the teacher", figures["teacher-1"], "")];
        foreach (CompressionArm arm in CompressionArm.All)
            rows.Add(Row(arm.Name, arm.What, figures[$"{arm.Name}-1"], $"{(long)figures[$"{arm.Name}-1"]["tokens"]!:N0}"));
        Markdown.Table(page, rows);
        Markdown.Title(page, "Speed of generation, times the teacher's");
        Markdown.Table(page, [["student", "factor"], .. figures["speed"].Select(pair => (string[])[pair.Key, Markdown.Text((double)pair.Value!, "0.00")])]);
        foreach ((string model, JsonNode? measured) in figures["quantization"])
        {
            Markdown.Title(page, $"Number types: {model}");
            Markdown.Table(page, [["type", "way", "bytes of matrices", "KL to f32", "bits/byte", "same likeliest token"], .. measured!.AsArray().Select(row => (string[])
            [
                row!["type"]!.ToString(), row["way"]!.ToString(), $"{(long)row["bytes"]!:N0}", Markdown.Text((double)row["kl"]!, "0.00000"), Markdown.Text((double)row["bits_per_byte"]!, "0.0000"),
                Markdown.Text((double)row["same_top"]!, "0.0%"),
            ])]);
        }

        return page.ToString();

        string[] Row(string name, string what, JsonObject run, string tokens) =>
        [
            what, $"{(long)run["non_embedding"]!:N0}", tokens, Mean(name, "loss", "0.0000"), Mean(name, "kl", "0.0000"), Mean(name, "same_top", "0.0%"),
            .. Enum.GetNames<WorldSkill>().Select(skill => Mean(name, skill, "0.0%")),
        ];

        string Mean(string name, string figure, string format)
        {
            double[] each = [.. seeds.Select(seed => (double)figures[$"{name}-{seed}-figures"][figure]!)];
            double mean = each.Average(), deviation = each.Length > 1 ? Math.Sqrt(each.Sum(value => (value - mean) * (value - mean)) / (each.Length - 1)) : 0;
            return Markdown.Text(mean, format) + (each.Length > 1 ? $" ± {Markdown.Text(deviation, format)}" : "");
        }
    }
}
