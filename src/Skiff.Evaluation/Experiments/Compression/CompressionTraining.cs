using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>The trained models of the compression experiment, each a run in its tier's folder that goes on where it was interrupted.</summary>
internal sealed class CompressionTraining(CompressionTier tier, bool smoke)
{
    // An eighth of a million tokens for students, half a million to correct a teacher.
    private const int StudentSteps = 61, CorrectionSteps = 244, SmokeShare = 100, Batch = 16;
    private const double TeacherRate = 3e-3;

    private static readonly double[] s_roundedRates = [1e-4, 3e-4, 1e-3];

    // Seed of the runs that a learning rate is chosen by.
    private const int RateSeed = 101;

    /// <summary>Trains a seed's teacher and scores its parts.</summary>
    public JsonObject TrainTeacher(ExperimentContext context, int seed)
    {
        long tokens = Train(context, "teacher", seed, Steps(tier.TeacherSteps), TeacherRate, shifted: false, $"model: {{model_type: llama, {tier.Teacher}, head_dim: 32, max_position_embeddings: 256, tie_word_embeddings: true}}\n{TokenizerOf(context)}");
        return Scored(context, "teacher", seed, tokens, shifted: false);
    }

    /// <summary>The teacher after new texts, at a fifth of its rate (Minitron, arXiv 2408.11796, section 3.1).</summary>
    public JsonObject CorrectTeacher(ExperimentContext context, int seed)
    {
        long tokens = Train(context, "corrected", seed, Steps(CorrectionSteps), TeacherRate / 5, shifted: true, $"init_from: {ExperimentTraining.Quoted(ModelPath(context, "teacher", seed))}");
        return Scored(context, "corrected", seed, tokens, shifted: true);
    }

    /// <summary>The learning rate of three by which an arm's student of the first teacher loses least, by a seed and texts of its own.</summary>
    public JsonObject ChooseRate(ExperimentContext context, CompressionArm arm)
    {
        double[] rates = arm.Start == StudentStart.Scratch ? [1.5e-3, 3e-3, 6e-3] : [1e-3, 2e-3, 4e-3];
        JsonArray losses = [];
        foreach (double rate in smoke ? rates[1..2] : rates)
        {
            string run = FormattableString.Invariant($"{arm.Name}-at-{rate}");
            Student(context, arm, 1, RateSeed, run, rate);
            Model model = Model.Open(ModelPath(context, run, RateSeed));
            ModelDivergence divergence = ModelDivergence.Measure(model, model, tier.Samples(context, model.Tokenizer, 1, arm.Shifted, draw: 9000, smoke ? 4 : 100), context.Stop);
            losses.Add(new JsonObject { ["rate"] = rate, ["loss"] = divergence.Loss });
            Directory.Delete(Run(context, run, RateSeed), recursive: true);
        }

        JsonNode best = losses.MinBy(loss => (double)loss!["loss"]!)!;
        return new JsonObject { ["rate"] = (double)best["rate"]!, ["tried"] = losses };
    }

    /// <summary>Makes a student of its teacher and trains it.</summary>
    public JsonObject TrainStudent(ExperimentContext context, CompressionArm arm, int seed, double rate)
    {
        long tokens = Student(context, arm, seed, seed, arm.Name, rate);
        ModelConfig student = Model.OpenConfig(ModelPath(context, arm.Name, seed)), teacher = Model.OpenConfig(ModelPath(context, "teacher", seed));
        // Forward and backward passes of the student, forward passes of the teacher: 2 operations a parameter forward, 4 back.
        double operations = tokens * ((6.0 * student.ParameterCount) + ((arm.Distill is null ? 0 : arm.TeacherLearns ? 6.0 : 2.0) * teacher.ParameterCount));
        return new JsonObject { ["tokens"] = tokens, ["non_embedding"] = student.NonEmbeddingParameterCount, ["operations"] = operations, ["rate"] = rate };
    }

    /// <summary>The teacher taught by itself with its weights rounded to 4 bits, at the rate of three that loses least on texts of its own.</summary>
    public JsonObject TrainRounded(ExperimentContext context)
    {
        string teacher = ExperimentTraining.Quoted(ModelPath(context, "teacher", 1));
        Model original = Model.Open(ModelPath(context, "teacher", 1));
        JsonArray tried = [];
        foreach (double rate in smoke ? s_roundedRates[..1] : s_roundedRates)
        {
            string run = FormattableString.Invariant($"rounded-at-{rate}"), file = Path.Combine(tier.Folder(context), "rounded.gguf");
            long tokens = Train(context, run, 1, Steps(StudentSteps), rate, shifted: false, $"init_from: {teacher}\nround_to: q4_0\ndistill: {{teacher: {teacher}}}");
            ModelWriter.Write(Model.Open(ModelPath(context, run, 1)), file, QuantizationMix.All.Single(mix => mix.Name == "q4_0"));
            ModelDivergence divergence = ModelDivergence.Measure(original, Model.Open(file), tier.Samples(context, original.Tokenizer, 1, shifted: false, draw: 9000, smoke ? 4 : 100), context.Stop);
            tried.Add(new JsonObject { ["rate"] = rate, ["kl"] = divergence.Kl, ["run"] = run, ["tokens"] = tokens });
        }

        JsonNode best = tried.MinBy(one => (double)one!["kl"]!)!;
        return new JsonObject { ["run"] = best["run"]!.ToString(), ["rate"] = (double)best["rate"]!, ["tokens"] = (long)best["tokens"]!, ["tried"] = tried };
    }

    /// <summary>The scores of a teacher's parts.</summary>
    public Importance ImportanceOf(ExperimentContext context, int seed, Model teacher) => Importance.Read(Scores(context, "teacher", seed), teacher.Config);

    /// <summary>Where a run's model lies.</summary>
    public string ModelPath(ExperimentContext context, string name, int seed) => Path.Combine(Run(context, name, seed), "model");

    private long Student(ExperimentContext context, CompressionArm arm, int teacherSeed, int seed, string run, double rate)
    {
        string pruned = Path.Combine(tier.Folder(context), $"{run}-{seed}-start"), teacher = arm.Corrected ? "corrected" : "teacher";
        string from = arm.Start switch { StudentStart.Half => "half-kl", StudentStart.Uncorrected => "teacher", _ => teacher };
        Model whole = Model.Open(ModelPath(context, from, teacherSeed));
        Importance importance = arm.Start == StudentStart.Half ? Measured(context, whole, teacherSeed, shifted: false) : Importance.Read(Scores(context, from, teacherSeed), whole.Config);
        PruneShape size = tier.ShapeOf(arm.Size) with { RandomSeed = arm.Start == StudentStart.Random ? seed : null };
        if (Directory.Exists(pruned))
            Directory.Delete(pruned, recursive: true);
        ModelWriter.Write(PrunedModel.Of(whole, size.Rank(whole.Config, importance, from)), pruned);
        string start = arm.Start == StudentStart.Scratch ? $"model: {{base: {ExperimentTraining.Quoted(pruned)}}}\n{TokenizerOf(context)}" : $"init_from: {ExperimentTraining.Quoted(pruned)}";
        if (arm.Distill is { } distill)
            start += $"\ndistill: {{teacher: {ExperimentTraining.Quoted(ModelPath(context, teacher, teacherSeed))}, {distill}}}";
        long tokens = Train(context, run, seed, Steps((int)Math.Round(StudentSteps * arm.Budget)), rate, arm.Shifted, start, textSeed: teacherSeed);
        Directory.Delete(pruned, recursive: true);
        return tokens;
    }

    private JsonObject Scored(ExperimentContext context, string name, int seed, long tokens, bool shifted)
    {
        Model model = Model.Open(ModelPath(context, name, seed));
        Measured(context, model, seed, shifted).Write(Scores(context, name, seed), tier.Name);
        return new JsonObject
        {
            ["tokens"] = tokens,
            ["non_embedding"] = model.Config.NonEmbeddingParameterCount,
            ["operations"] = 6.0 * tokens * model.Config.ParameterCount,
        };
    }

    private Importance Measured(ExperimentContext context, Model model, int seed, bool shifted) =>
        Importance.Measure(model, tier.Corpus(context, seed, shifted), smoke ? 8 : 256, CompressionTier.Context, null, context.Stop);

    private int Steps(int steps) => smoke ? Math.Max(2, steps / SmokeShare) : steps;

    private string Run(ExperimentContext context, string name, int seed) => Path.Combine(tier.Folder(context), $"{name}-{seed}");

    private string Scores(ExperimentContext context, string name, int seed) => Path.Combine(Run(context, name, seed), "importance.safetensors");

    private string TokenizerOf(ExperimentContext context) => $"tokenizer: {{path: {ExperimentTraining.Quoted(tier.TokenizerPath(context))}}}";

    // Tokens of the run.
    private long Train(ExperimentContext context, string name, int seed, int steps, double rate, bool shifted, string start, int? textSeed = null)
    {
        string yaml = string.Join('\n',
            $"output: {ExperimentTraining.Quoted(Run(context, name, seed))}",
            $"seed: {seed}",
            start,
            $"data: [{{name: {tier.Name}, files: {ExperimentTraining.Quoted(tier.Corpus(context, textSeed ?? seed, shifted))}}}]",
            "held_out: 0",
            $"context_length: {CompressionTier.Context}",
            $"batch_size: {Batch}",
            $"steps: {steps}",
            FormattableString.Invariant($"optimizer: {{name: adamw, learning_rate: {rate}}}"),
            $"schedule: {{form: cosine, warmup_steps: {Math.Min(20, steps / 4)}, floor: 0.03}}",
            "checkpoint: {every: 1000, keep: 1}");
        return ExperimentTraining.Run(context, $"{name}-{seed}", yaml, every: 50) * Batch * CompressionTier.Context;
    }
}
