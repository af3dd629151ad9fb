// N tokens, F feed-forward
namespace Skiff.Tensors;

/// <summary>h = f(gate) up, or f(gate): <see cref="FeedForwardActivation"/>.</summary>
internal sealed class ActivationOperation(Activation activation, TapeValue gate, TapeValue? up, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Reads(gate);
        if (up is not null)
            memory.Reads(up);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.Keeps(gate);
        memory.WritesGradient(gate, adds: false);
        if (up is null)
            return;
        memory.Keeps(up);
        memory.WritesGradient(up, adds: false);
    }

    public override void Forward(ThreadTeam team) => FeedForwardActivation.Forward(activation, gate.Data, up?.Data, output.Data, team);

    public override void Backward(ThreadTeam team) =>
        FeedForwardActivation.Backward(activation, output.Gradient, gate.Data, up?.Data, gate.Gradient, up?.Gradient, team);
}
