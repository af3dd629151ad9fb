// N tokens, I inputs, O outputs
namespace Skiff.Tensors;

/// <summary>y = x W^T + b, or y += x W^T: <see cref="MatrixProduct"/>.</summary>
internal sealed class LinearOperation(TapeValue input, TapeParameter weight, TapeParameter? bias, TapeValue output, bool accumulate) : Operation
{
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        if (accumulate)
            memory.Updates(output);
        else
            memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        if (weight.Trainable)
            memory.Keeps(input);
        _target = memory.WritesGradient(input);
    }

    public override void Forward(ThreadTeam team)
    {
        MatrixProduct.Multiply(input.Data, weight.Value.Transposed, output.Data, accumulate, team);
        if (bias is not null)
            Bias.Add(output.Data, bias.Values, team);
    }

    public override void Backward(ThreadTeam team)
    {
        MatrixView gradient = output.Gradient;
        if (weight.Gradient is { } target)
            MatrixProduct.Multiply(gradient.Transposed, input.Data, target, accumulate: true, team);
        if (bias is { Trainable: true })
            Bias.Backward(gradient, bias.GradientValues, team);
        if (_target!.Wanted)
            MatrixProduct.Multiply(gradient, weight.Value, input.Gradient, _target.Accumulate, team);
    }
}
