// N tokens, H heads, K head size
namespace Skiff.Tensors;

/// <summary>Turns queries or keys in place: <see cref="RotaryEmbedding"/>.</summary>
internal sealed class RotaryOperation(TapeValue value, RotaryEmbedding rotary, int headDim, int offset, int[] positions) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Updates(value);
        if (value.NeedsGradient)
            memory.ReadsGradient(value);
    }

    public override void Forward(ThreadTeam team) => rotary.Forward(value.Data, headDim, positions, offset, team);

    public override void Backward(ThreadTeam team) => rotary.Backward(value.Gradient, headDim, positions, offset, team);
}
