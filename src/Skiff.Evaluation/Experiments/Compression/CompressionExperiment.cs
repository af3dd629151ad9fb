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
    /// <summary>Students whose speed is held against their teacher's, and that guess for it.</summary>
    private static readonly string[] s_timed = ["half-kl", "depth-kl", "quarter-kl"];

    /// <summary>The experiment.</summary>
    public static Experiment Create() => new(
        "compression", "Prune a model to half and less, teach what is left, and compare with training from scratch, loss by loss and skill by skill.", Steps, CompressionPage.Write)
    {
        HasLarge = true,
    };

    private static List<ExperimentStep> Steps(ExperimentSize size)
    {
        bool smoke = size == ExperimentSize.Smoke;
        int items = smoke ? 20 : 400;
        List<ExperimentStep> teachers = [], students = [];
        foreach (CompressionTier tier in CompressionTier.Of(size))
        {
            CompressionTraining training = new(tier, smoke);
            CompressionFigures measure = new(tier, training, items);
            IReadOnlyList<CompressionArm> arms = tier.ArmsOf(size);
            int seeds = smoke ? 1 : tier.Seeds;
            string prepare = $"{tier.Name}-prepare";
            teachers.Add(new(prepare, 10, $"texts {smoke}", [], context => tier.Prepare(context, seeds, smoke)));
            for (int s = 1; s <= seeds; s++)
            {
                int seed = s;
                string teacher = $"{tier.Name}-teacher-{seed}", corrected = $"{tier.Name}-corrected-{seed}";
                teachers.Add(new(teacher, tier.TeacherSteps * tier.StepCost * 2, $"{tier.TeacherSteps} {tier.Teacher} {smoke}", [prepare], context => training.TrainTeacher(context, seed)));
                teachers.Add(new($"{teacher}-figures", 5, $"{items}", [teacher], context => measure.Measure(context, "teacher", "teacher", seed, shifted: false)));
                teachers.Add(new($"{tier.Name}-untaught-{seed}", 20, $"{items}", [teacher], context => UntaughtFigures.Measure(context, tier, training, seed, items / 4)));
                if (!arms.Any(arm => arm.Corrected))
                    continue;
                teachers.Add(new(corrected, 35, $"{smoke}", [teacher], context => training.CorrectTeacher(context, seed)));
                teachers.Add(new($"{corrected}-figures", 5, $"{items}", [corrected], context => measure.Measure(context, "corrected", "teacher", seed, shifted: true)));
            }

            foreach (CompressionArm arm in arms.Where(arm => arm.RateOf is null && tier.RatesOf == tier.Name))
                students.Add(new($"{tier.Name}-rate-{arm.Name}", 200 * tier.StepCost * arm.Budget, $"{arm} {tier.ShapeOf(arm.Size)} {smoke}", TeachersOf(arm, 1), context => training.ChooseRate(context, arm)));
            for (int s = 1; s <= seeds; s++)
            {
                int seed = s;
                foreach (CompressionArm arm in arms)
                {
                    string student = $"{tier.Name}-{arm.Name}-{seed}", rate = $"{tier.RatesOf}-rate-{arm.RateOf ?? arm.Name}";
                    students.Add(new(student, 70 * tier.StepCost * arm.Budget, $"{arm} {tier.ShapeOf(arm.Size)} {smoke}", [.. TeachersOf(arm, seed), rate], context => training.TrainStudent(context, arm, seed, (double)context.Figures[rate]["rate"]!)));
                    students.Add(new($"{student}-figures", 3, $"{items}", [student], context => measure.Measure(context, arm.Name, arm.Corrected ? "corrected" : "teacher", seed, arm.Shifted)));
                }
            }

            string[] timed = [$"{tier.Name}-teacher-1", .. s_timed.Select(name => $"{tier.Name}-{name}-1")];
            students.Add(new($"{tier.Name}-speed", 10, $"{smoke}", timed, context => Speed(context, training, smoke ? 5 : 301)));
            students.Add(new($"{tier.Name}-guesses", 20, $"{smoke}", timed, context => Guesses(context, tier, training, smoke ? 2 : 60)));
            if (tier is TextTier)
            {
                students.Add(new($"{tier.Name}-rounded", 200 * tier.StepCost, $"{smoke}", [$"{tier.Name}-teacher-1"], training.TrainRounded));
                students.Add(new($"{tier.Name}-quantization", 150 * tier.StepCost / CompressionTier.UsualStep, $"{items}", [$"{tier.Name}-teacher-1", $"{tier.Name}-rounded"], context => Quantization(context, tier, training, items, smoke)));
            }

            string[] TeachersOf(CompressionArm arm, int seed) =>
                [$"{tier.Name}-teacher-{seed}", .. arm.Corrected ? [$"{tier.Name}-corrected-{seed}"] : Array.Empty<string>(), .. arm.Start == StudentStart.Half ? [$"{tier.Name}-half-kl-{seed}"] : Array.Empty<string>()];
        }

        return [.. teachers, .. students, new("stories260k-quantization", 150, $"{items}", [], context => QuantizationOfStories(context, items, smoke))];
    }

    private static JsonObject Quantization(ExperimentContext context, CompressionTier tier, CompressionTraining training, int items, bool smoke)
    {
        Model teacher = Model.Open(training.ModelPath(context, "teacher", 1)), taught = Model.Open(training.ModelPath(context, context.Figures[$"{tier.Name}-rounded"]["run"]!.ToString(), 1));
        return QuantizationFigures.Measure(
            teacher, taught, tier.Corpus(context, 1, shifted: false), tier.Samples(context, teacher.Tokenizer, 1, shifted: false, draw: 7000, items / 4), smoke, Path.Combine(tier.Folder(context), "quantized"), context.Stop);
    }

    // The trained model of the data folder.
    private static JsonObject QuantizationOfStories(ExperimentContext context, int items, bool smoke)
    {
        string stories = Path.Combine(context.Data, "models", "stories260k"), text = Path.Combine(context.Data, "text");
        Model model = Model.Open(Path.Combine(stories, "stories260K.bin"), Path.Combine(stories, "tok512.bin"));
        return QuantizationFigures.Measure(
            model, null, Path.Combine(text, "tinystories-v1-train.jsonl.gz"), CalibrationText.Samples(model, Path.Combine(text, "tinystories-v2-gpt4.jsonl.gz"), items / 4, 256), smoke,
            Path.Combine(context.Folder, "work", "stories"), context.Stop);
    }

    // Rounds of milliseconds: on a busy machine a few of them tell nothing.
    private static JsonObject Speed(ExperimentContext context, CompressionTraining training, int rounds)
    {
        Model teacher = Model.Open(training.ModelPath(context, "teacher", 1));
        JsonObject figures = [];
        foreach (string name in s_timed)
            figures[name] = ShapeSpeed.Ratio(teacher, Model.Open(training.ModelPath(context, name, 1)), rounds);
        return figures;
    }

    // The teacher's own greedy text, with each student's guesses and without.
    private static JsonObject Guesses(ExperimentContext context, CompressionTier tier, CompressionTraining training, int prompts)
    {
        Model teacher = Model.Open(training.ModelPath(context, "teacher", 1));
        Memory<int>[] samples = tier.Samples(context, teacher.Tokenizer, 1, shifted: false, draw: 8000, prompts);
        JsonObject figures = [];
        foreach (string name in s_timed)
            figures[name] = GuessFigures.Measure(teacher, Model.Open(training.ModelPath(context, name, 1)), samples, context.Stop);
        return figures;
    }
}
