using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class DistillationTapeTests
{
    private const int Time = 12;

    // The gradient of every parameter by the slope of the loss, with and without the text's share.
    [Theory]
    [InlineData("llama", Divergence.ForwardKl, 0)]
    [InlineData("llama", Divergence.JensenShannon, 0.5f)]
    [InlineData("gemma2", Divergence.ReverseKl, 0.3f)]
    [InlineData("gpt2", Divergence.Cosine, 0)]
    public void GradientsAreTheSlopeOfTheLoss(string name, Divergence divergence, float label)
    {
        using ThreadTeam alone = new(1);
        using Pair pair = new(name, divergence, label, alone, move: 0.05f);
        CheckGradients(pair);
    }

    // Hidden states too, whose weight is a constant; through a projection where widths differ, and with blocks computed again.
    [Theory]
    [InlineData("llama", null, false, "embedding", "1:0", "1:1")]
    [InlineData("llama", 8, false, "embedding", "0:1")]
    [InlineData("llama", 8, true, "0:1", "1:1")]
    public void GradientsOfHiddenStatesAreTheSlopeOfTheirLoss(string name, int? hidden, bool recompute, params string[] states)
    {
        using ThreadTeam alone = new(1);
        using Pair pair = new(name, Divergence.ForwardKl, 0, alone, move: 0.05f, hidden, recompute, states);
        Assert.Equal(hidden is not null, pair.Parameters.Has(StatePair.ProjectionName));
        CheckGradients(pair);
        Assert.Equal(pair.Student.Loss.Sum, pair.Student.StateLoss.Weight * pair.Student.StateLoss.Sum, 1e-6);
    }

    private static void CheckGradients(Pair pair)
    {
        pair.Forward(gradients: true);
        double weight = pair.Student.StateLoss.Weight;
        pair.Student.Backward();
        Dictionary<string, float[]> gradients = pair.Parameters.All.ToDictionary(parameter => parameter.Parameter.Name, parameter => parameter.Gradient!.Floats().ToArray());
        Random random = new(3);
        foreach (TrainingParameter parameter in pair.Parameters.All)
        {
            Span<float> values = parameter.Value.Floats();
            int at = random.Next(values.Length);
            float kept = values[at], step = 2e-3f;
            values[at] = kept + step;
            double above = Loss();
            values[at] = kept - step;
            double below = Loss();
            values[at] = kept;
            double slope = (above - below) / (2 * step), gradient = gradients[parameter.Parameter.Name][at];
            Assert.True(Math.Abs(slope - gradient) < 2e-2 * Math.Max(0.05, Math.Abs(slope)), $"{parameter.Parameter.Name}: {slope} and {gradient}");
        }

        double Loss()
        {
            pair.Forward(gradients: true);
            return pair.Student.Loss.Sum + (weight * pair.Student.StateLoss.Sum);
        }
    }

    [Fact]
    public void AStudentThatIsItsTeacherHasNothingToLearn()
    {
        using ThreadTeam alone = new(1);
        using Pair pair = new("llama", Divergence.ForwardKl, 0, alone, move: 0);
        pair.Forward(gradients: true);
        pair.Student.Backward();
        Assert.Equal(0, pair.Student.Loss.Sum, 1e-5);
        Assert.All(pair.Parameters.Gradients.Floats().ToArray(), gradient => Assert.Equal(0, gradient, 1e-5));
        // What is only measured is the text's loss.
        pair.Forward(gradients: false);
        Assert.True(pair.Student.Loss.Sum > 1);
    }

    // A teacher that learns has the gradients of the text's loss, and its student those of a teacher that does not.
    [Fact]
    public void ATeacherMayLearnTheTextMeanwhile()
    {
        using ThreadTeam alone = new(1);
        using Pair still = new("llama", Divergence.ForwardKl, 0, alone, move: 0.05f), learning = new("llama", Divergence.ForwardKl, 0, alone, move: 0.05f, learns: true);
        foreach (Pair pair in new[] { still, learning })
        {
            pair.Student.Loss.GradientScale = 0.25f;
            pair.Forward(gradients: true);
            pair.Student.Backward();
        }

        Assert.Equal(still.Parameters.Gradients.Floats().ToArray(), learning.Parameters.Gradients.Floats().ToArray());
        Assert.Equal(still.Student.Loss.Sum, learning.Student.Loss.Sum);
        using DecoderTape plain = learning.Plain(out TrainingParameters parameters);
        plain.Loss.GradientScale = 0.25f;
        plain.Forward(gradients: true);
        plain.Backward();
        Assert.Equal(parameters.Gradients.Floats().ToArray(), learning.Teacher.Gradients.Floats().ToArray());
        Assert.Contains(parameters.Gradients.Floats().ToArray(), gradient => gradient != 0);
    }

    [Fact]
    public void AStepAllocatesNothing()
    {
        using ThreadTeam alone = new(1);
        using Pair pair = new("llama", Divergence.ForwardKl, 0.5f, alone, move: 0.05f);
        long taken = long.MaxValue;
        for (int i = 0; i < 6; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            pair.Forward(gradients: true);
            pair.Student.Backward();
            taken = Math.Min(taken, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, taken);
    }

    /// <summary>A student that is its teacher, moved a little.</summary>
    private sealed class Pair : IDisposable
    {
        private readonly int[] _tokens, _targets, _starts = new int[2 * Time];
        private readonly ThreadTeam _team;

        public Pair(string name, Divergence divergence, float label, ThreadTeam team, float move, int? hidden = null, bool recompute = false, string[]? states = null, bool learns = false)
        {
            _team = team;
            Model model = GoldenModel.Read(name).Open(), student = PrunedModel.Of(model, new PruneShape { Hidden = hidden }.Rank(model.Config, null, name));
            TrainingParameters teacher = Teacher = new(ParameterList.Of(model.Config), _ => learns);
            StatePair[] pairs = [.. (states ?? []).Select(pair => StatePair.Parse(pair, name, model.Config, student.Config))];
            Parameters = new TrainingParameters([.. ParameterList.Of(student.Config), .. StatePair.Parameters(model.Config, student.Config)], _ => true);
            teacher.Load(model.Parameter);
            new Parametrization(new RecipeParametrization(), student.Config).Initialize(Parameters, 1);
            Parameters.Load(student.Parameter);
            Random random = new(1);
            foreach (ref float value in Parameters.Values.Floats())
                value += move * (random.NextSingle() - 0.5f);
            DecoderTapeOptions shape = new() { Batch = 2, Time = Time, States = pairs };
            Student = new DecoderTape(student.Config, Parameters, shape with
            {
                Recompute = recompute,
                Teacher = new DecoderTape(model.Config, teacher, shape with { IsTeacher = true, Learns = learns }, team),
                Goal = new DistillationGoal(divergence, 1, 0),
                LabelWeight = label,
            }, team);
            _tokens = [.. Enumerable.Range(0, 2 * Time).Select(_ => random.Next(model.Config.VocabSize))];
            _targets = [.. Enumerable.Range(0, 2 * Time).Select(i => i % 5 == 4 ? -1 : random.Next(model.Config.VocabSize))];
        }

        public DecoderTape Student { get; }

        public TrainingParameters Teacher { get; }

        /// <summary>The teacher as a model that is trained alone, given the same batch.</summary>
        public DecoderTape Plain(out TrainingParameters parameters)
        {
            Model model = GoldenModel.Read("llama").Open();
            parameters = new TrainingParameters(ParameterList.Of(model.Config), _ => true);
            parameters.Load(model.Parameter);
            DecoderTape tape = new(model.Config, parameters, new DecoderTapeOptions { Batch = 2, Time = Time }, _team);
            tape.Load(_tokens, _targets, _starts);
            return tape;
        }

        public TrainingParameters Parameters { get; }

        public void Forward(bool gradients)
        {
            Parameters.Gradients.Floats().Clear();
            Student.Load(_tokens, _targets, _starts);
            Student.Forward(gradients);
        }

        public void Dispose() => Student.Dispose();
    }
}
