namespace Skiff.Tensors;

/// <summary>
/// One step of a <see cref="Tape"/> with its gradient beside it. What it reads and writes is told once, to the plan; after that it
/// runs again and again without taking memory.
/// </summary>
internal abstract class Operation
{
    /// <summary>Tells what memory both passes touch.</summary>
    public abstract void Declare(OperationMemory memory);

    /// <summary>Computes the outputs.</summary>
    public abstract void Forward(ThreadTeam team);

    /// <summary>Computes the gradients of inputs and parameters from those of the outputs.</summary>
    public abstract void Backward(ThreadTeam team);
}

/// <summary>What one operation touches, in the order of its two passes.</summary>
internal sealed class OperationMemory
{
    private readonly List<(TapeBuffer Buffer, bool Writes)> _forward = [], _backward = [];

    public IReadOnlyList<(TapeBuffer Buffer, bool Writes)> Forward => _forward;

    public IReadOnlyList<(TapeBuffer Buffer, bool Writes)> Backward => _backward;

    /// <summary>What the forward pass changes in place.</summary>
    public HashSet<TapeBuffer> Updated { get; } = [];

    /// <summary>Gradients that the backward pass reads.</summary>
    public List<TapeBuffer> Gradients { get; } = [];

    /// <summary>Gradients that the backward pass leaves in inputs.</summary>
    public List<GradientTarget> Targets { get; } = [];

    /// <summary>Gradients that the forward pass already leaves.</summary>
    public List<GradientTarget> ForwardTargets { get; } = [];

    /// <summary>The forward pass reads an input.</summary>
    public void Reads(TapeValue input)
    {
        if (input.Closed)
            throw new InvalidOperationException($"{input.DataBuffer.Name} was handed on to a residual and is read again");
        _forward.Add((input.DataBuffer, false));
    }

    /// <summary>The forward pass fills a value of which nothing is there yet.</summary>
    public void Writes(TapeValue output) => Writes(output.DataBuffer);

    /// <summary>The forward pass fills memory of the operation's own.</summary>
    public void Writes(TapeBuffer buffer) => _forward.Add((buffer, true));

    /// <summary>The forward pass changes a value in place.</summary>
    public void Updates(TapeValue value)
    {
        Reads(value);
        Updated.Add(value.DataBuffer);
    }

    /// <summary>The backward pass reads a value as it stood after the forward pass.</summary>
    public void Keeps(TapeValue value) => _backward.Add((value.DataBuffer, false));

    /// <summary>The same for memory of the operation's own.</summary>
    public void Keeps(TapeBuffer buffer) => _backward.Add((buffer, false));

    /// <summary>Room that only the backward pass uses.</summary>
    public void BackwardScratch(TapeBuffer buffer) => _backward.Add((buffer, true));

    /// <summary>The backward pass reads, or changes in place, the gradient of an output.</summary>
    public void ReadsGradient(TapeValue output)
    {
        _backward.Add((output.GradientBuffer!, false));
        Gradients.Add(output.GradientBuffer!);
    }

    /// <summary>The backward pass leaves a gradient in an input, where one is wanted.</summary>
    /// <param name="input">The input.</param>
    /// <param name="adds">Whether it can add to a gradient that is there.</param>
    public GradientTarget WritesGradient(TapeValue input, bool adds = true)
    {
        GradientTarget target = new(input, adds);
        if (input.NeedsGradient)
        {
            _backward.Add((input.GradientBuffer!, false));
            Targets.Add(target);
        }

        return target;
    }

    /// <summary>
    /// The same for kernels that know no unwanted gradients: those of inputs before which nothing is trained go into room of their own.
    /// </summary>
    public GradientTarget FillsGradient(TapeValue input, bool adds = true)
    {
        GradientTarget target = WritesGradient(input, adds);
        if (!target.Wanted)
            BackwardScratch(target.Room = new TapeBuffer("unwanted gradient", input.DataBuffer.Count));
        return target;
    }

    /// <summary>The forward pass already leaves a gradient: what the losses do.</summary>
    public GradientTarget WritesGradientForward(TapeValue input)
    {
        GradientTarget target = new(input, adds: true);
        if (input.NeedsGradient)
        {
            _forward.Add((input.GradientBuffer!, false));
            ForwardTargets.Add(target);
        }

        return target;
    }
}

/// <summary>The gradient of an input: whoever comes first in the backward pass overwrites it, all others add to it.</summary>
internal sealed class GradientTarget(TapeValue value, bool adds)
{
    public TapeValue Value { get; } = value;

    public bool Wanted => Value.NeedsGradient;

    public bool Accumulate { get; private set; }

    /// <summary>Where it goes if it is not wanted.</summary>
    public TapeBuffer? Room { get; set; }

    /// <summary>The gradient, or its room.</summary>
    public MatrixView Matrix => Value.In(Buffer);

    /// <summary>All of its memory.</summary>
    public TapeBuffer Buffer => Value.GradientBuffer ?? Room!;

    /// <summary>Says whether a gradient is there already.</summary>
    public void Resolve(bool written)
    {
        if (written && !adds)
            throw new InvalidOperationException($"{Value.DataBuffer.Name} is read again by an operation that cannot add to a gradient");
        Accumulate = written;
    }
}
