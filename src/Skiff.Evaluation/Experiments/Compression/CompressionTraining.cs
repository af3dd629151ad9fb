using System.Text;
using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>The trained models of the compression experiment, each a run in <c>work/</c> that goes on where it was interrupted.</summary>
internal static class CompressionTraining
{
    // Half a million tokens for students, 6 million for their teacher.
    private const int TeacherSteps = 2930, StudentSteps = 244, SmokeShare = 200, Batch = 16, Context = 128, Vocabulary = 1024;
    private const double TeacherRate = 3e-3, StudentRate = 1.5e-3;

    /// <summary>The teacher: 1.48 million parameters without embeddings.</summary>
    private const string Teacher = "model: {model_type: llama, hidden_size: 128, intermediate_size: 352, num_hidden_layers: 8, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, max_position_embeddings: 256, tie_word_embeddings: true}";

    /// <summary>The world of a seed.</summary>
    public static TinyWorld World(int seed) => new((ulong)seed);

    /// <summary>Texts of a world, more than any run reads, and the tokenizer that all worlds share.</summary>
    public static JsonObject Prepare(ExperimentContext context, int seeds, bool smoke)
    {
        for (int seed = 1; seed <= seeds; seed++)
        {
            WriteTexts(Corpus(context, seed), seed, 1000 + seed, smoke ? 1000 : 100_000);
            WriteTexts(Calibration(context, seed), seed, 2000 + seed, smoke ? 100 : 1000);
        }

        if (!File.Exists(Path.Combine(Tokenizer(context), "tokenizer.json")))
        {
            BpeTrainingResult result = BpeTrainer.Train([Corpus(context, 1)], new BpeTrainingOptions { VocabularySize = Vocabulary }, cancellation: context.Stop);
            AtomicFolder.Write(Tokenizer(context), result.Tokenizer.Save);
        }

        return [];
    }

    /// <summary>Trains a world's teacher and scores its parts.</summary>
    public static JsonObject TrainTeacher(ExperimentContext context, int seed, bool smoke)
    {
        Train(context, "teacher", seed, Steps(TeacherSteps, smoke), TeacherRate, $"{Teacher}\ntokenizer: {{path: {ExperimentTraining.Quoted(Tokenizer(context))}}}");
        Model teacher = Model.Open(ModelPath(context, "teacher", seed));
        Importance.Measure(teacher, Corpus(context, seed), smoke ? 8 : 256, Context, null, context.Stop).Write(Scores(context, "teacher", seed), "world");
        return new JsonObject { ["parameters"] = teacher.Config.ParameterCount, ["non_embedding"] = teacher.Config.NonEmbeddingParameterCount };
    }

    /// <summary>Makes a student of its teacher and trains it.</summary>
    public static JsonObject TrainStudent(ExperimentContext context, CompressionArm arm, int seed, bool smoke)
    {
        string student = Path.Combine(Work(context), $"{arm.Name}-{seed}-start");
        if (!Directory.Exists(student))
        {
            // The student of 50% at the end of its budget; both of its halves are counted in the page.
            string from = ModelPath(context, arm.Start == StudentStart.Half ? "width-kl" : "teacher", seed);
            Model whole = Model.Open(from);
            Importance? importance = arm.Start switch
            {
                StudentStart.Pruned => Importance.Read(Scores(context, "teacher", seed), whole.Config),
                StudentStart.Half => Importance.Measure(whole, Corpus(context, seed), smoke ? 8 : 256, Context, null, context.Stop),
                _ => null,
            };
            ModelWriter.Write(PrunedModel.Of(whole, arm.Shape.Prune.Rank(whole.Config, importance, from)), student);
        }

        string start = arm.Start == StudentStart.Scratch
            ? $"model: {{base: {ExperimentTraining.Quoted(student)}}}\ntokenizer: {{path: {ExperimentTraining.Quoted(Tokenizer(context))}}}"
            : $"init_from: {ExperimentTraining.Quoted(student)}";
        if (arm.Distill is { } distill)
            start += $"\ndistill: {{teacher: {ExperimentTraining.Quoted(ModelPath(context, "teacher", seed))}, {distill}}}";
        int steps = Steps((int)Math.Round(StudentSteps * arm.Budget), smoke);
        Train(context, arm.Name, seed, steps, arm.Start == StudentStart.Scratch ? TeacherRate : StudentRate, start);
        ModelConfig config = Model.OpenConfig(ModelPath(context, arm.Name, seed));
        return new JsonObject { ["steps"] = steps, ["tokens"] = steps * Batch * Context, ["non_embedding"] = config.NonEmbeddingParameterCount };
    }

    /// <summary>A few texts of a world that no run reads, to round weights with.</summary>
    public static string Calibration(ExperimentContext context, int seed) => Path.Combine(Work(context), "corpus", $"calibration-{seed}.jsonl");

    /// <summary>Where a run's model lies.</summary>
    public static string ModelPath(ExperimentContext context, string name, int seed) => Path.Combine(Run(context, name, seed), "model");

    private static int Steps(int steps, bool smoke) => smoke ? Math.Max(2, steps / SmokeShare) : steps;

    private static string Work(ExperimentContext context) => Path.Combine(Path.GetFullPath(context.Folder), "work");

    private static string Run(ExperimentContext context, string name, int seed) => Path.Combine(Work(context), $"{name}-{seed}");

    private static string Corpus(ExperimentContext context, int seed) => Path.Combine(Work(context), "corpus", $"world-{seed}.jsonl");

    private static string Tokenizer(ExperimentContext context) => Path.Combine(Work(context), "tokenizer");

    private static string Scores(ExperimentContext context, string name, int seed) => Path.Combine(Run(context, name, seed), "importance.safetensors");

    private static void WriteTexts(string path, int seed, int from, int count)
    {
        if (File.Exists(path))
            return;
        TinyWorld world = World(seed);
        SplitMix64 random = new((ulong)from);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, stream =>
        {
            for (int i = 0; i < count; i++)
            {
                stream.Write(Encoding.UTF8.GetBytes(new JsonObject { ["text"] = world.Text(random) }.ToJsonString()));
                stream.WriteByte((byte)'\n');
            }
        });
    }

    private static void Train(ExperimentContext context, string name, int seed, int steps, double rate, string start)
    {
        string yaml = string.Join('\n',
            $"output: {ExperimentTraining.Quoted(Run(context, name, seed))}",
            $"seed: {seed}",
            start,
            $"data: [{{name: world, files: {ExperimentTraining.Quoted(Corpus(context, seed))}}}]",
            "held_out: 0",
            $"context_length: {Context}",
            $"batch_size: {Batch}",
            $"steps: {steps}",
            FormattableString.Invariant($"optimizer: {{name: adamw, learning_rate: {rate}}}"),
            $"schedule: {{form: cosine, warmup_steps: {Math.Min(20, steps / 4)}, floor: 0.03}}",
            "checkpoint: {every: 1000, keep: 1}");
        ExperimentTraining.Run(context, $"{name}-{seed}", yaml, every: 50);
    }
}
