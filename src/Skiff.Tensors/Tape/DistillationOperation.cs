// N tokens, D model, V vocabulary
namespace Skiff.Tensors;

/// <summary>What a student's loss reads of its teacher: the last value of the teacher's own tape, over the same tokens, and the head behind it.</summary>
/// <param name="Hidden">[N, D'] which the teacher's tape keeps (<see cref="Tape.Keep"/>).</param>
/// <param name="Head">[V, D'].</param>
/// <param name="Bias">[1, V] or null.</param>
/// <param name="LogitScale">Factor on the products.</param>
/// <param name="SoftCap">Cap of the logits, or 0.</param>
public sealed record TeacherHead(TapeValue Hidden, TapeParameter Head, TapeParameter? Bias = null, float LogitScale = 1, float SoftCap = 0)
{
    /// <summary>What was kept of its logits, which is compared in their place, or null.</summary>
    public TopLogits? Kept { get; init; }

    /// <summary>The head and what it reads, as they stand.</summary>
    public LogitSource Source => new(Hidden.Data, Head.Value, Bias is null ? default : Bias.Values, LogitScale, SoftCap);
}

/// <summary>
/// A divergence from the teacher, with a share of the text's own loss beside it. A pass that only measures finds the text's loss alone, so
/// that students compare with models that were trained otherwise.
/// </summary>
internal sealed class DistillationOperation(
    TapeValue hidden, TapeParameter head, TapeParameter? bias, float logitScale, float softCap, TokenLoss loss, TeacherHead teacher, DistillationGoal goal, float labelWeight,
    StateLoss? states) : Operation
{
    private readonly TapeBuffer _scratch = new(
        "logits of a chunk", Math.Max(LinearCrossEntropy.ScratchLength(hidden.Rows, head.Value.Rows), LinearDistillation.ScratchLength(hidden.Rows, head.Value.Rows)));

    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(hidden);
        memory.Writes(_scratch);
        _target = memory.WritesGradientForward(hidden);
    }

    public override void Forward(ThreadTeam team)
    {
        if (_target!.Accumulate)
            throw new InvalidOperationException("distillation comes before other losses");
        double label = 0;
        if (!loss.Gradients || labelWeight > 0)
        {
            label = CrossEntropyOperation.TextLoss(hidden, head, bias, logitScale, softCap, loss, labelWeight, _scratch, team);
            loss.Sum = label;
        }

        if (!loss.Gradients)
            return;
        LogitSource own = new(hidden.Data, head.Value, bias is null ? default : bias.Values, logitScale, softCap);
        MatrixView? dHidden = hidden.NeedsGradient ? hidden.Gradient : null;
        Span<float> dBias = bias is null ? default : bias.GradientValues;
        double divergence = teacher.Kept is { } kept
            ? LinearDistillation.Compute(own, kept, loss.Targets, goal, loss.GradientScale, dHidden, head.Gradient, dBias, _scratch.Span, accumulate: labelWeight > 0, team)
            : LinearDistillation.Compute(own, teacher.Source, loss.Targets, goal, loss.GradientScale, dHidden, head.Gradient, dBias, _scratch.Span, accumulate: labelWeight > 0, team);
        loss.Sum = (labelWeight * label) + divergence;
        if (states is { Sum: > 0 })
            states.Weight = divergence / states.Sum;
    }

    public override void Backward(ThreadTeam team)
    {
    }
}

/// <summary>Holds a value to the end of the tape, for somebody beside it.</summary>
internal sealed class KeepOperation(TapeValue value) : Operation
{
    // What a backward pass reads is there at the end of the forward one.
    public override void Declare(OperationMemory memory)
    {
        memory.Reads(value);
        memory.Keeps(value);
    }

    public override void Forward(ThreadTeam team)
    {
    }

    public override void Backward(ThreadTeam team)
    {
    }
}
