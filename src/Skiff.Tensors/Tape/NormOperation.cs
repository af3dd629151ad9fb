// N rows, D columns of a group, G groups in a row
namespace Skiff.Tensors;

/// <summary>What a norm computes beyond its parameters; see <see cref="Normalization"/>.</summary>
/// <param name="Rms">RMSNorm rather than LayerNorm.</param>
/// <param name="Epsilon">Added to the mean square or variance.</param>
/// <param name="GainOffset">Added to every gain.</param>
public sealed record NormSettings(bool Rms, double Epsilon, float GainOffset = 0);

/// <summary>RMSNorm or LayerNorm over each of G groups of a row (heads, or one for the whole), with a gain for all or for each.</summary>
internal sealed class NormOperation(
    TapeValue input, IReadOnlyList<TapeParameter> gains, TapeParameter? bias, NormSettings settings, int groups, TapeValue output) : Operation
{
    private readonly TapeBuffer _inverse = new($"{output.DataBuffer.Name} scales", (long)input.Rows * groups);
    private readonly TapeBuffer? _mean = settings.Rms ? null : new($"{output.DataBuffer.Name} means", (long)input.Rows * groups);
    private readonly int _size = input.Columns / groups;
    private GradientTarget? _target;

    public override void Declare(OperationMemory memory)
    {
        memory.Reads(input);
        memory.Writes(output);
        memory.Writes(_inverse);
        if (_mean is not null)
            memory.Writes(_mean);
        if (!output.NeedsGradient)
            return;
        memory.Keeps(input);
        memory.Keeps(_inverse);
        if (_mean is not null)
            memory.Keeps(_mean);
        memory.ReadsGradient(output);
        _target = memory.WritesGradient(input);
        // A frozen input still needs somewhere for its gradient to go while the gain's is computed.
        if (!_target.Wanted)
            memory.BackwardScratch(_unwanted = new TapeBuffer("unwanted gradient", (long)input.Rows * input.Columns));
    }

    private TapeBuffer? _unwanted;

    public override void Forward(ThreadTeam team)
    {
        for (int g = 0; g < groups; g++)
        {
            Normalization.Forward(Group(input.Data, g), Gain(g), bias is null ? default : bias.Values, settings.GainOffset, settings.Epsilon,
                Group(output.Data, g), Rows(_inverse, g), Rows(_mean, g), team);
        }
    }

    public override unsafe void Backward(ThreadTeam team)
    {
        MatrixView target = _target!.Wanted ? _target.Value.Gradient : new MatrixView(_unwanted!.Data, input.Rows, input.Columns);
        for (int g = 0; g < groups; g++)
        {
            Normalization.Backward(Group(output.Gradient, g), Group(input.Data, g), Gain(g), settings.GainOffset, Rows(_inverse, g), Rows(_mean, g),
                Group(target, g), GainGradient(g), bias is null ? default : bias.GradientValues, _target.Accumulate, team);
        }
    }

    private MatrixView Group(MatrixView matrix, int g) => matrix.Block(0, matrix.Rows, g * _size, _size);

    private ReadOnlySpan<float> Gain(int g) => gains.Count == 0 ? default : gains[g % gains.Count].Values;

    private Span<float> GainGradient(int g) => gains.Count == 0 ? default : gains[g % gains.Count].GradientValues;

    private Span<float> Rows(TapeBuffer? buffer, int g) => buffer is null ? default : buffer.Span.Slice(g * input.Rows, input.Rows);
}
