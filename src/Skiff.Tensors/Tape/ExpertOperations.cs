// N tokens, E experts, k chosen, S = N k slots, D width
namespace Skiff.Tensors;

/// <summary>What keeps a router in order, and what it came to in the last pass.</summary>
/// <param name="BalanceCoefficient">Factor on the balance loss in the gradients.</param>
/// <param name="ZCoefficient">Factor on the z loss in the gradients.</param>
public sealed record ExpertLoss(double BalanceCoefficient, double ZCoefficient)
{
    /// <summary>Share of this pass in a step: 1 / passes.</summary>
    public double Scale { get; set; } = 1;

    /// <summary>The balance loss; 1 when all experts are used alike.</summary>
    public double Balance { get; internal set; }

    /// <summary>The z loss.</summary>
    public double Z { get; internal set; }
}

/// <summary>Which expert each token goes to, and where it waits for it.</summary>
public sealed class ExpertRoute
{
    internal ExpertRoute(TapeValue weights, int tokens, int chosen, int experts, ExpertLoss loss)
    {
        (Weights, Loss) = (weights, loss);
        (Experts, Rows, Places, Starts) = (new int[tokens * chosen], new int[tokens * chosen], new int[tokens * chosen], new int[experts + 1]);
    }

    /// <summary>Balance and z loss.</summary>
    public ExpertLoss Loss { get; }

    /// <summary>[N, k] share of each chosen expert.</summary>
    internal TapeValue Weights { get; }

    internal int[] Experts { get; }

    internal int[] Rows { get; }

    internal int[] Places { get; }

    internal int[] Starts { get; }
}

/// <summary>Chooses experts: <see cref="ExpertRouting"/>.</summary>
internal sealed class RouteOperation(TapeValue logits, int chosen, ExpertRoute route) : Operation
{
    private readonly TapeBuffer _probabilities = new("shares of experts", (long)logits.Rows * logits.Columns);
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(logits);
        memory.Writes(_probabilities);
        memory.Writes(route.Weights);
        if (!route.Weights.NeedsGradient)
            return;
        memory.ReadsGradient(route.Weights);
        memory.Keeps(logits);
        memory.Keeps(_probabilities);
        memory.Keeps(route.Weights);
        _target = memory.WritesGradient(logits, adds: false);
    }

    public override void Forward(ThreadTeam team)
    {
        ExpertRouting.Forward(logits.Data, chosen, _probabilities.Span, route.Experts, route.Weights.DataBuffer.Span, route.Rows, route.Places, route.Starts, team);
        (route.Loss.Balance, route.Loss.Z) = ExpertRouting.Losses(logits.Data, chosen, _probabilities.Span, route.Experts, route.Starts, team);
    }

    public override void Backward(ThreadTeam team) => ExpertRouting.Backward(
        logits.Data, chosen, _probabilities.Span, route.Experts, route.Weights.DataBuffer.Span, route.Weights.GradientBuffer!.Span, route.Starts,
        route.Loss.BalanceCoefficient * route.Loss.Scale, route.Loss.ZCoefficient * route.Loss.Scale, _target!.Value.Gradient, team);
}

/// <summary>Tokens into the slots of their experts: <see cref="ExpertRows"/>.</summary>
internal sealed class GatherOperation(TapeValue input, ExpertRoute route, TapeValue output) : Operation
{
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        _target = memory.WritesGradient(input);
    }

    public override void Forward(ThreadTeam team) => ExpertRows.Gather(input.Data, route.Rows, output.Data, team);

    public override void Backward(ThreadTeam team) =>
        ExpertRows.GatherBackward(output.Gradient, route.Places, input.Gradient, _target!.Accumulate, team);
}

/// <summary>Each expert's matrix over its slots.</summary>
internal sealed class ExpertLinearOperation(
    TapeValue input, ExpertRoute route, IReadOnlyList<TapeParameter> weights, IReadOnlyList<TapeParameter> biases, TapeValue output) : Operation
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

    public override void Forward(ThreadTeam team)
    {
        for (int e = 0; e < weights.Count; e++)
        {
            MatrixView y = Slots(output.Data, e);
            MatrixProduct.Multiply(Slots(input.Data, e), weights[e].Value.Transposed, y, team: team);
            if (biases.Count > 0)
                Bias.Add(y, biases[e].Values, team);
        }
    }

    public override void Backward(ThreadTeam team)
    {
        for (int e = 0; e < weights.Count; e++)
        {
            MatrixView gradient = Slots(output.Gradient, e);
            if (weights[e].Gradient is { } target)
                MatrixProduct.Multiply(gradient.Transposed, Slots(input.Data, e), target, accumulate: true, team);
            if (biases.Count > 0 && biases[e].Trainable)
                Bias.Backward(gradient, biases[e].GradientValues, team);
            if (_target!.Wanted)
                MatrixProduct.Multiply(gradient, weights[e].Value, Slots(input.Gradient, e), _target.Accumulate, team);
        }
    }

    private MatrixView Slots(MatrixView matrix, int e) => matrix.Block(route.Starts[e], route.Starts[e + 1] - route.Starts[e], 0, matrix.Columns);
}

/// <summary>The experts' results back to their tokens, weighted: <see cref="ExpertRows"/>.</summary>
internal sealed class CombineOperation(TapeValue input, ExpertRoute route, TapeValue output) : Operation
{
    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Reads(route.Weights);
        memory.Writes(output);
        if (!output.NeedsGradient)
            return;
        memory.ReadsGradient(output);
        memory.Keeps(input);
        memory.Keeps(route.Weights);
        memory.WritesGradient(input, adds: false);
        memory.WritesGradient(route.Weights, adds: false);
    }

    public override void Forward(ThreadTeam team) =>
        ExpertRows.Combine(input.Data, route.Weights.DataBuffer.Span, route.Places, output.Data, team);

    public override void Backward(ThreadTeam team) => ExpertRows.CombineBackward(
        output.Gradient, input.Data, route.Weights.DataBuffer.Span, route.Places, input.Gradient, route.Weights.GradientBuffer!.Span, team);
}
