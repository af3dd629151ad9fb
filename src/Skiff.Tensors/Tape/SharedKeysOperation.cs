namespace Skiff.Tensors;

/// <summary>Keys of latent attention from each head's own part and the shared rotated one: <see cref="SharedKeys"/>.</summary>
internal sealed class SharedKeysOperation(TapeValue expanded, TapeValue shared, int heads, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Reads(expanded);
        memory.Reads(shared);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.WritesGradient(expanded, adds: false);
        memory.WritesGradient(shared, adds: false);
    }

    public override void Forward(ThreadTeam team) => SharedKeys.Forward(expanded.Data, shared.Data, heads, output.Data, team);

    public override void Backward(ThreadTeam team) => SharedKeys.Backward(output.Gradient, heads, expanded.Gradient, shared.Gradient, team);
}
