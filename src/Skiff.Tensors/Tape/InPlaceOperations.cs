namespace Skiff.Tensors;

/// <summary>x = factor x in place; its gradient likewise.</summary>
internal sealed class ScaleOperation(TapeValue value, float factor) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Updates(value);
        if (value.NeedsGradient)
            memory.ReadsGradient(value);
    }

    public override void Forward(ThreadTeam team) => Scale.Apply(value.DataBuffer.Span, factor, team);

    public override void Backward(ThreadTeam team) => Scale.Apply(value.GradientBuffer!.Span, factor, team);
}

/// <summary>Each row times a factor of its own, in place: <see cref="RowScale"/>.</summary>
internal sealed class RowScaleOperation(TapeValue value, float[] factors) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Updates(value);
        if (value.NeedsGradient)
            memory.ReadsGradient(value);
    }

    public override void Forward(ThreadTeam team) => RowScale.Apply(value.Data, factors, team);

    public override void Backward(ThreadTeam team) => RowScale.Apply(value.Gradient, factors, team);
}
