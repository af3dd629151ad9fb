// N tokens, D model, V vocabulary
namespace Skiff.Tensors;

/// <summary>The loss at a model's head: what it is given before a pass, and what it found.</summary>
public sealed class TokenLoss
{
    /// <summary>Of a batch of so many tokens.</summary>
    public TokenLoss(int tokens) => Targets = new int[tokens];

    /// <summary>[N] the id to foretell, or -1 for none.</summary>
    public int[] Targets { get; }

    /// <summary>Factor on all gradients: 1 / targets of the whole step for the mean.</summary>
    public float GradientScale { get; set; } = 1;

    /// <summary>False for a pass that only measures.</summary>
    public bool Gradients { get; set; } = true;

    /// <summary>The loss of the last pass, summed over its targets, in nats.</summary>
    public double Sum { get; internal set; }

    /// <summary>[N] log-probabilities of the targets in the last pass that only measured, 0 where there was none.</summary>
    public float[] LogProbabilities { get; internal set; } = [];
}

/// <summary>Cross-entropy over the vocabulary in chunks of tokens: <see cref="LinearCrossEntropy"/>. Gradients come with the forward pass.</summary>
internal sealed class CrossEntropyOperation(
    TapeValue hidden, TapeParameter head, TapeParameter? bias, float logitScale, float softCap, TokenLoss loss) : Operation
{
    private readonly TapeBuffer _scratch = new("logits of a chunk", LinearCrossEntropy.ScratchLength(hidden.Rows, head.Value.Rows));
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
            throw new InvalidOperationException("cross-entropy comes before other losses");
        loss.Sum = TextLoss(hidden, head, bias, logitScale, softCap, loss, weight: 1, _scratch, team);
    }

    /// <summary>The text's loss, and the gradients of it times a weight.</summary>
    public static double TextLoss(
        TapeValue hidden, TapeParameter head, TapeParameter? bias, float logitScale, float softCap, TokenLoss loss, float weight, TapeBuffer scratch, ThreadTeam team) =>
        LinearCrossEntropy.Compute(
            hidden.Data, head.Value, loss.Targets, logitScale, softCap, loss.GradientScale * weight,
            loss.Gradients && hidden.NeedsGradient ? hidden.Gradient : null, loss.Gradients ? head.Gradient : null,
            loss.Gradients ? default : loss.LogProbabilities, scratch.Span, team,
            bias is null ? default : bias.Values, loss.Gradients && bias is not null ? bias.GradientValues : default);

    public override void Backward(ThreadTeam team)
    {
    }
}
