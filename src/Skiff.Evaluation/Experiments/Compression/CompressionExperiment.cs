using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>
/// What pruning and distillation bring (Minitron, arXiv 2407.14679 and 2408.11796), in made-up worlds that a million parameters can learn and on
/// real text: students of half to a tenth of their teacher's size, by importance or not, with its guidance or not, and trained from scratch.
/// </summary>
internal static class CompressionExperiment
{
    private const int Seeds = 3;

    /// <summary>Students whose speed is held against their teacher's.</summary>
    private static readonly string[] s_timed = ["half-kl", "depth-kl", "quarter-kl"];

    /// <summary>The experiment.</summary>
    public static Experiment Create() => new(
        "compression", "Prune a model to half and less, teach what is left, and compare with training from scratch, loss by loss and skill by skill.", Steps, CompressionPage.Write);

    private static List<ExperimentStep> Steps(bool smoke)
    {
        int seeds = smoke ? 1 : Seeds, items = smoke ? 20 : 400;
        List<ExperimentStep> teachers = [], students = [];
        foreach (CompressionTier tier in CompressionTier.All)
        {
            CompressionTraining training = new(tier, smoke);
            CompressionFigures measure = new(tier, training, items);
            string prepare = $"{tier.Name}-prepare";
            teachers.Add(new(prepare, 10, $"texts {smoke}", [], context => tier.Prepare(context, seeds, smoke)));
            for (int s = 1; s <= seeds; s++)
            {
                int seed = s;
                string teacher = $"{tier.Name}-teacher-{seed}", corrected = $"{tier.Name}-corrected-{seed}";
                teachers.Add(new(teacher, tier.TeacherSteps / 7.0, $"{tier.TeacherSteps} {smoke}", [prepare], context => training.TrainTeacher(context, seed)));
                teachers.Add(new($"{teacher}-figures", 5, $"{items}", [teacher], context => measure.Measure(context, "teacher", "teacher", seed, shifted: false)));
                if (!tier.Arms.Any(arm => arm.Shifted))
                    continue;
                teachers.Add(new(corrected, 35, $"{smoke}", [teacher], context => training.CorrectTeacher(context, seed)));
                teachers.Add(new($"{corrected}-figures", 5, $"{items}", [corrected], context => measure.Measure(context, "corrected", "teacher", seed, shifted: true)));
            }

            foreach (CompressionArm arm in tier.Arms.Where(arm => arm.RateOf is null))
                students.Add(new($"{tier.Name}-rate-{arm.Name}", 30 * arm.Budget, $"{arm} {smoke}", TeachersOf(arm, 1), context => training.ChooseRate(context, arm)));
            for (int s = 1; s <= seeds; s++)
            {
                int seed = s;
                foreach (CompressionArm arm in tier.Arms)
                {
                    string student = $"{tier.Name}-{arm.Name}-{seed}", rate = $"{tier.Name}-rate-{arm.RateOf ?? arm.Name}";
                    students.Add(new(student, 8 * arm.Budget, $"{arm} {smoke}", [.. TeachersOf(arm, seed), rate], context => training.TrainStudent(context, arm, seed, (double)context.Figures[rate]["rate"]!)));
                    students.Add(new($"{student}-figures", 3, $"{items}", [student], context => measure.Measure(context, arm.Name, arm.Corrected ? "corrected" : "teacher", seed, arm.Shifted)));
                }
            }

            students.Add(new($"{tier.Name}-speed", 10, "301", [.. s_timed.Select(name => $"{tier.Name}-{name}-1")], context => Speed(context, training)));

            string[] TeachersOf(CompressionArm arm, int seed) =>
                [$"{tier.Name}-teacher-{seed}", .. arm.Corrected ? [$"{tier.Name}-corrected-{seed}"] : Array.Empty<string>(), .. arm.Start == StudentStart.Half ? [$"{tier.Name}-half-kl-{seed}"] : Array.Empty<string>()];
        }

        return [.. teachers, .. students, new("quantization", 150, $"{items}", ["text-teacher-1"], context => Quantization(context, items, smoke))];
    }

    // The teacher of real text, and the trained model of the data folder.
    private static JsonObject Quantization(ExperimentContext context, int items, bool smoke)
    {
        IReadOnlyList<string> types = smoke ? ["q4_0"] : QuantizationFigures.Types;
        CompressionTier tier = CompressionTier.All.Single(tier => tier is TextTier);
        Model teacher = Model.Open(new CompressionTraining(tier, smoke).ModelPath(context, "teacher", 1));
        string folder = Path.Combine(context.Folder, "work", "quantized"), stories = Path.Combine(context.Data, "models", "stories260k"), text = Path.Combine(context.Data, "text");
        Model model = Model.Open(Path.Combine(stories, "stories260K.bin"), Path.Combine(stories, "tok512.bin"));
        return new JsonObject
        {
            ["the teacher of real text"] = QuantizationFigures.Measure(
                teacher, tier.Corpus(context, 1, shifted: false), tier.Samples(context, teacher.Tokenizer, 1, shifted: false, draw: 7000, items / 4), types, Path.Combine(folder, "teacher"), context.Stop),
            ["stories260K"] = QuantizationFigures.Measure(
                model, Path.Combine(text, "tinystories-v1-train.jsonl.gz"), CalibrationText.Samples(model, Path.Combine(text, "tinystories-v2-gpt4.jsonl.gz"), items / 4, 256), types, Path.Combine(folder, "stories"), context.Stop),
        };
    }

    // Rounds of milliseconds: on a busy machine a few of them tell nothing.
    private static JsonObject Speed(ExperimentContext context, CompressionTraining training)
    {
        Model teacher = Model.Open(training.ModelPath(context, "teacher", 1));
        JsonObject figures = [];
        foreach (string name in s_timed)
            figures[name] = ShapeSpeed.Ratio(teacher, Model.Open(training.ModelPath(context, name, 1)), rounds: 301);
        return figures;
    }
}
