// N tokens, V vocabulary, D model
namespace Skiff.Tensors;

/// <summary>y[n] = scale table[ids[n]]: <see cref="EmbeddingLookup"/>.</summary>
internal sealed class EmbeddingOperation(TapeParameter table, int[] ids, float scale, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Writes(output);
        if (table.Trainable)
            memory.ReadsGradient(output);
    }

    public override void Forward(ThreadTeam team) => EmbeddingLookup.Forward(table.Value, ids, scale, output.Data, team);

    public override void Backward(ThreadTeam team) => EmbeddingLookup.Backward(output.Gradient, ids, scale, table.Gradient!.Value, team);
}
