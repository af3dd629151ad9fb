// N tokens, D the teacher's width
namespace Skiff.Tensors;

/// <summary>
/// The loss of a student's hidden states against its teacher's: a sum over the compared blocks that counts as much as the loss at the head, whatever
/// its own size (Minitron, arXiv 2407.14679, section 3: alpha = L_logits / L_is, taken as a constant).
/// </summary>
public sealed class StateLoss
{
    /// <summary>The sum of 1 - cos over tokens and compared states in the pass under way.</summary>
    public double Sum { get; internal set; }

    /// <summary>alpha, set by the loss at the head.</summary>
    public double Weight { get; internal set; }

    /// <summary>Begins a pass.</summary>
    public void Clear() => Sum = Weight = 0;
}

/// <summary>1 - cos of a student's state, brought to the teacher's width, and the teacher's.</summary>
internal sealed class StateDistillationOperation(TapeValue student, TapeValue teacher, TokenLoss loss, StateLoss states) : Operation
{
    private readonly TapeBuffer _factors = new("cosines", 2L * student.Rows);
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(student);
        memory.Writes(_factors);
        memory.Keeps(student);
        memory.Keeps(_factors);
        _target = memory.WritesGradient(student);
    }

    public override void Forward(ThreadTeam team)
    {
        if (loss.Gradients)
            states.Sum += CosineDistance.Forward(student.Data, teacher.Data, loss.Targets, _factors.Span, team);
    }

    public override void Backward(ThreadTeam team)
    {
        if (_target!.Wanted)
            CosineDistance.Backward(student.Data, teacher.Data, _factors.Span, (float)(loss.GradientScale * states.Weight), student.Gradient, _target.Accumulate, team);
    }
}
