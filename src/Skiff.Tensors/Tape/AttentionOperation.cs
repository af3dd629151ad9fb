// B batch, T time, H heads, G key-value heads, K head size, V value head size
namespace Skiff.Tensors;

/// <summary>How heads lie in the columns of a value.</summary>
/// <param name="Value">[B T, columns].</param>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Values of a head.</param>
/// <param name="HeadStride">Columns from one head to the next.</param>
/// <param name="Offset">First column.</param>
public sealed record HeadColumns(TapeValue Value, int Heads, int HeadDim, int HeadStride, int Offset = 0)
{
    /// <summary>Heads one behind the other.</summary>
    public HeadColumns(TapeValue value, int heads)
        : this(value, heads, value.Columns / heads, value.Columns / heads)
    {
    }

    internal unsafe HeadsView View(MatrixView matrix, int batch) => new(
        matrix.Data + Offset, batch, matrix.Rows / batch, Heads, HeadDim, matrix.Rows / batch * matrix.RowStride, matrix.RowStride, HeadStride);
}

/// <summary>Softmax attention: <see cref="Attention"/>.</summary>
internal sealed class AttentionOperation(
    HeadColumns query, HeadColumns key, HeadColumns value, AttentionSettings settings, Visibility[] visibility, float[] slopes, int batch, TapeValue output) : Operation
{
    private readonly TapeBuffer _logSumExp = new("log sums of attention", (long)query.Value.Rows * query.Heads);
    private readonly HeadColumns _output = new(output, query.Heads);

    public override void Declare(OperationMemory memory)
    {
        foreach (HeadColumns heads in (HeadColumns[])[query, key, value])
            memory.Reads(heads.Value);
        memory.Writes(output);
        memory.Writes(_logSumExp);
        if (!output.NeedsGradient)
            return;
        memory.Keeps(output);
        memory.Keeps(_logSumExp);
        memory.ReadsGradient(output);
        foreach (HeadColumns heads in (HeadColumns[])[query, key, value])
        {
            memory.Keeps(heads.Value);
            memory.WritesGradient(heads.Value, adds: false);
        }
    }

    public override void Forward(ThreadTeam team) => Attention.Forward(
        query.View(query.Value.Data, batch), key.View(key.Value.Data, batch), value.View(value.Value.Data, batch), _output.View(output.Data, batch),
        _logSumExp.Span, settings, visibility, slopes, team);

    public override void Backward(ThreadTeam team) => Attention.Backward(
        query.View(query.Value.Data, batch), key.View(key.Value.Data, batch), value.View(value.Value.Data, batch), _output.View(output.Data, batch),
        _logSumExp.Span, _output.View(output.Gradient, batch), query.View(query.Value.Gradient, batch), key.View(key.Value.Gradient, batch),
        value.View(value.Value.Gradient, batch), settings, visibility, slopes, team);
}
