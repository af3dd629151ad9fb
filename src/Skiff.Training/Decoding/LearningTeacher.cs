using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A teacher that goes on learning the text itself while its student learns from it: teacher correction in parallel (Minitron, arXiv 2408.11796,
/// section 3.1 and figure 5).
/// </summary>
/// <param name="parameters">The teacher's.</param>
/// <param name="optimizer">Trains them.</param>
/// <param name="share">Its learning rate where the student's is 1.</param>
/// <param name="clip">Length that its gradient is cut to; 0 for none.</param>
/// <param name="team">Threads; the process's own when null.</param>
internal sealed class LearningTeacher(TrainingParameters parameters, Optimizer optimizer, double share, double clip, ThreadTeam? team = null)
{
    private readonly ThreadTeam _team = team ?? ThreadTeam.Default;

    /// <summary>Its numbers and its optimizer's, which a checkpoint keeps.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State =>
        parameters.All.Select(own => (own.Parameter.Name, own.Value)).Concat(optimizer.State).Select(pair => ("teacher." + pair.Item1, pair.Item2));

    /// <summary>Before the passes of a step.</summary>
    public void Begin() => parameters.Gradients.Floats().Clear();

    /// <summary>Behind them. A gradient that is no number changes nothing.</summary>
    public void Step(double learningRate, long step)
    {
        double norm = Math.Sqrt(SquaredNorm.Compute(parameters.Gradients.Floats(), _team));
        if (double.IsFinite(norm))
            optimizer.Step(share * learningRate, step, clip > 0 && norm > clip ? (float)(clip / norm) : 1);
    }
}
