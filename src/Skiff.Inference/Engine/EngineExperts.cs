// N rows, k experts chosen by each, E experts, D model
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>A mixture of experts: each expert's rows are gathered, so that its weights are read once for all of them.</summary>
internal sealed class EngineExperts
{
    private readonly int _chosen, _layer;
    private readonly ExpertVisitor? _visitor;
    private readonly EngineLinear _router;
    private readonly EngineFeedForward[] _experts;
    private readonly float[] _probabilities, _weights;
    private readonly int[] _choices, _rows, _places, _starts;

    public EngineExperts(ModelConfig config, EngineWeights weights, LayerConfig layer, int maxRows)
    {
        int l = config.SharedFeedForward ? 0 : layer.Weights;
        (_chosen, _layer, _visitor) = (config.NumExpertsPerTok, l, weights.Experts);
        _router = weights.Linear("router", l, false);
        _experts = [.. Enumerable.Range(0, config.NumLocalExperts).Select(e => new EngineFeedForward(config, weights, "experts.", l, e))];
        _probabilities = new float[maxRows * _experts.Length];
        _weights = new float[maxRows * _chosen];
        (_choices, _rows, _places, _starts) = (new int[maxRows * _chosen], new int[maxRows * _chosen], new int[maxRows * _chosen], new int[_experts.Length + 1]);
        RowValues = _experts.Length + (long)_chosen * (config.HiddenSize + _experts[0].RowValues);
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues { get; }

    /// <summary>x [N, D] to the branch's output y [N, D].</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y)
    {
        int choices = x.Rows * _chosen;
        MatrixView logits = pass.Take(_experts.Length), slots = pass.Take(choices, x.Columns), room = pass.Take(choices, _experts[0].RowValues);
        pass.Activations.Set(x, pass.Team);
        _router.Apply(pass, logits);
        ExpertRouting.Forward(
            logits, _chosen, _probabilities.AsSpan(0, x.Rows * _experts.Length), _choices.AsSpan(0, choices), _weights.AsSpan(0, choices),
            _rows.AsSpan(0, choices), _places.AsSpan(0, choices), _starts, pass.Team);
        ExpertRows.Gather(x, _rows.AsSpan(0, choices), slots, pass.Team);
        for (int e = 0; e < _experts.Length; e++)
        {
            int start = _starts[e], count = _starts[e + 1] - start;
            if (count == 0)
                continue;
            MatrixView own = slots.Block(start, count, 0, x.Columns);
            _experts[e].Apply(pass, own, room.Block(start, count, 0, room.Columns), own);
        }

        if (_visitor is not null)
            Show(slots, choices);
        ExpertRows.Combine(slots, _weights.AsSpan(0, choices), _places.AsSpan(0, choices), y, pass.Team);
    }

    private unsafe void Show(MatrixView slots, int choices)
    {
        for (int c = 0; c < choices; c++)
        {
            ReadOnlySpan<float> output = new(slots.Data + (_places[c] * slots.RowStride), slots.Columns);
            int expert = Array.FindLastIndex(_starts, _starts.Length - 2, start => start <= _places[c]);
            _visitor!(_layer, expert, _weights[c] * Math.Sqrt(System.Numerics.Tensors.TensorPrimitives.Dot(output, output)));
        }
    }
}
