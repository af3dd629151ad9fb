// N tokens, W channels
namespace Skiff.Tensors;

/// <summary>A short causal convolution over time: <see cref="ShortConvolution"/>.</summary>
internal sealed class ShortConvolutionOperation(TapeValue input, TapeParameter weight, TapeParameter bias, int[] starts, int time, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.Keeps(input);
        memory.WritesGradient(input, adds: false);
    }

    public override void Forward(ThreadTeam team) =>
        ShortConvolution.Forward(input.Data, weight.Values, bias.Values, starts, time, output.Data, team);

    public override void Backward(ThreadTeam team) => ShortConvolution.Backward(
        output.Gradient, input.Data, weight.Values, starts, time, input.Gradient, weight.GradientValues, bias.GradientValues, team);
}

/// <summary>A linear layer block by block: <see cref="BlockDiagonal"/>.</summary>
internal sealed class BlockDiagonalOperation(TapeValue input, TapeParameter weight, TapeParameter bias, TapeValue output) : Operation
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
        _target = memory.WritesGradient(input);
    }

    public override void Forward(ThreadTeam team) => BlockDiagonal.Forward(input.Data, weight.Value, bias.Values, output.Data, team);

    public override void Backward(ThreadTeam team) => BlockDiagonal.Backward(
        output.Gradient, input.Data, weight.Value, input.Gradient, weight.Gradient, bias.GradientValues, _target!.Accumulate, team);
}

/// <summary>Griffin's recurrence: <see cref="LinearRecurrence"/>.</summary>
internal sealed class LinearRecurrenceOperation(
    TapeValue input, TapeValue inputGate, TapeValue recurrentGate, TapeParameter decay, int[] starts, int time, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        foreach (TapeValue value in (TapeValue[])[input, inputGate, recurrentGate])
            memory.Reads(value);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.Keeps(output);
        foreach (TapeValue value in (TapeValue[])[input, inputGate, recurrentGate])
        {
            memory.Keeps(value);
            memory.WritesGradient(value, adds: false);
        }
    }

    public override void Forward(ThreadTeam team) =>
        LinearRecurrence.Forward(input.Data, inputGate.Data, recurrentGate.Data, decay.Values, starts, time, output.Data, team);

    public override void Backward(ThreadTeam team) => LinearRecurrence.Backward(
        output.Gradient, input.Data, inputGate.Data, recurrentGate.Data, decay.Values, starts, time, output.Data,
        input.Gradient, inputGate.Gradient, recurrentGate.Gradient, decay.GradientValues, team);
}
