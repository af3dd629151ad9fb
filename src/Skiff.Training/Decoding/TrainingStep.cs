// B sequences of a step, T tokens of a sequence
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>What one step found.</summary>
/// <param name="Targets">Tokens that had something to foretell.</param>
/// <param name="Loss">Mean loss of its targets, nats; NaN without any.</param>
/// <param name="GradientNorm">Norm of all gradients before clipping.</param>
/// <param name="ExpertBalance">Mean balance loss of the mixtures, 0 without any.</param>
internal readonly record struct StepResult(int Targets, double Loss, double GradientNorm, double ExpertBalance);

/// <summary>
/// One optimizer step: the batch in micro-batches, gradients added up and clipped, then the update. A loss or gradient that is no
/// number leaves the parameters as they were.
/// </summary>
internal sealed class TrainingStep(TrainingParameters parameters, Optimizer optimizer, double clip, ThreadTeam? team = null, RoundedWeights? rounded = null, LearningTeacher? teacher = null)
{
    private readonly ThreadTeam _team = team ?? ThreadTeam.Default;

    /// <summary>Runs a step over tokens [B, T] as <see cref="DataLoader.Next"/> gives them; B is a multiple of the tape's batch.</summary>
    public StepResult Run(DecoderTape tape, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> documentStarts, double learningRate, long step)
    {
        int count = LinearCrossEntropy.CountTargets(targets), passes = tokens.Length / tape.Tokens;
        Span<float> gradients = parameters.Gradients.Floats();
        gradients.Clear();
        double loss = 0, balance = 0;
        // By index: an enumerator of an interface would be allocated.
        IReadOnlyList<ExpertLoss> experts = tape.ExpertLosses;
        for (int i = 0; i < experts.Count; i++)
            experts[i].Scale = 1.0 / passes;
        rounded?.Round();
        teacher?.Begin();
        for (int pass = 0; pass < passes; pass++)
        {
            int first = pass * tape.Tokens;
            tape.FirstRow = step * (tokens.Length / tape.Time) + first / tape.Time;
            tape.Load(tokens.Slice(first, tape.Tokens), targets.Slice(first, tape.Tokens), documentStarts.Slice(first, tape.Tokens));
            tape.Loss.GradientScale = 1f / Math.Max(1, count);
            tape.Forward(gradients: true);
            tape.Backward();
            loss += tape.Loss.Sum;
            for (int i = 0; i < experts.Count; i++)
                balance += experts[i].Balance / (experts.Count * passes);
        }

        rounded?.Restore();
        double norm = Math.Sqrt(SquaredNorm.Compute(gradients, _team));
        if (double.IsFinite(loss) && double.IsFinite(norm))
            optimizer.Step(learningRate, step, clip > 0 && norm > clip ? (float)(clip / norm) : 1);
        teacher?.Step(learningRate, step);
        return new StepResult(count, loss / count, norm, balance);
    }
}
