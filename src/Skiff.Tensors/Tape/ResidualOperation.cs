namespace Skiff.Tensors;

/// <summary>y = x + scale branch. The gradient of y is that of x too: both have the same memory.</summary>
internal sealed class ResidualOperation(TapeValue input, TapeValue branch, float scale, TapeValue output) : Operation
{
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Reads(branch);
        memory.Writes(output);
        input.Closed = true;
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        _target = memory.WritesGradient(branch);
        if (input.NeedsGradient)
            memory.WritesGradient(input);
    }

    public override void Forward(ThreadTeam team) =>
        AddScaled.Apply(input.DataBuffer.Span, branch.DataBuffer.Span, scale, output.DataBuffer.Span, team);

    public override void Backward(ThreadTeam team)
    {
        if (!_target!.Wanted)
            return;
        ReadOnlySpan<float> gradient = output.GradientBuffer!.Span;
        Span<float> target = branch.GradientBuffer!.Span;
        if (_target.Accumulate)
            AddScaled.Apply(target, gradient, scale, team);
        else
            Scale.Copy(gradient, scale, target, team);
    }
}
