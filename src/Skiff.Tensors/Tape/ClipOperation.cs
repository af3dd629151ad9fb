namespace Skiff.Tensors;

/// <summary>y = x within bounds: <see cref="Clip"/>. A copy, as later operations may turn y in place while the bounds still ask for x.</summary>
internal sealed class ClipOperation(TapeValue input, float bound, TapeValue output) : Operation
{
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.Keeps(input);
        _target = memory.WritesGradient(input, adds: false);
    }

    public override void Forward(ThreadTeam team)
    {
        input.DataBuffer.Span.CopyTo(output.DataBuffer.Span);
        Clip.Apply(output.Data, bound, team);
    }

    public override void Backward(ThreadTeam team)
    {
        output.GradientBuffer!.Span.CopyTo(_target!.Value.GradientBuffer!.Span);
        Clip.Backward(input.Data, bound, input.Gradient, team);
    }
}
