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
        pair.Forward(gradients: true);
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
            return pair.Student.Loss.Sum;
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

        public Pair(string name, Divergence divergence, float label, ThreadTeam team, float move)
        {
            Model model = GoldenModel.Read(name).Open();
            TrainingParameters teacher = new(ParameterList.Of(model.Config), _ => false);
            Parameters = new TrainingParameters(ParameterList.Of(model.Config), _ => true);
            teacher.Load(model.Parameter);
            Parameters.Load(model.Parameter);
            Random random = new(1);
            foreach (ref float value in Parameters.Values.Floats())
                value += move * (random.NextSingle() - 0.5f);
            DecoderTapeOptions shape = new() { Batch = 2, Time = Time };
            Student = new DecoderTape(model.Config, Parameters, shape with
            {
                Teacher = new DecoderTape(model.Config, teacher, shape with { IsTeacher = true }, team),
                Goal = new DistillationGoal(divergence, 1, 0),
                LabelWeight = label,
            }, team);
            _tokens = [.. Enumerable.Range(0, 2 * Time).Select(_ => random.Next(model.Config.VocabSize))];
            _targets = [.. Enumerable.Range(0, 2 * Time).Select(i => i % 5 == 4 ? -1 : random.Next(model.Config.VocabSize))];
        }

        public DecoderTape Student { get; }

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
