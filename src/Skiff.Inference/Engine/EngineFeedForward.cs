// N rows, D model, F feed-forward
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Feed-forward, plain or gated. The counterpart of <c>DecoderFeedForward</c>.</summary>
internal sealed class EngineFeedForward
{
    private readonly Activation _activation;
    private readonly EngineLinear? _gate;
    private readonly EngineLinear _up, _down;

    public EngineFeedForward(ModelConfig config, EngineWeights weights, LayerConfig layer)
        : this(config, weights, "", config.SharedFeedForward ? 0 : layer.Weights, -1)
    {
    }

    /// <summary>One expert, or with index -1 the only feed-forward.</summary>
    public EngineFeedForward(ModelConfig config, EngineWeights weights, string prefix, int layer, int index)
    {
        _activation = config.HiddenAct;
        _gate = config.Gated ? weights.Linear(prefix + "gate", layer, config.MlpBias, index) : null;
        _up = weights.Linear(prefix + "up", layer, config.MlpBias, index);
        _down = weights.Linear(prefix + "down", layer, config.MlpBias, index);
    }

    /// <summary>Scratch values that a row takes.</summary>
    public int RowValues => (_gate is null ? 1 : 2) * _up.Outputs;

    /// <summary>x [N, D] to the branch's output y [N, D].</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y) => Apply(pass, x, pass.Take(x.Rows, RowValues), y);

    /// <summary>The same with room for what lies between, [N, F] or [N, 2 F]; y may be x.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView room, MatrixView y)
    {
        int f = _up.Outputs;
        MatrixView inner = room.Block(0, x.Rows, 0, f);
        pass.Activations.Set(x, pass.Team);
        if (_gate is null)
        {
            _up.Apply(pass, inner);
            FeedForwardActivation.Forward(_activation, inner, null, inner, pass.Team);
        }
        else
        {
            MatrixView up = room.Block(0, x.Rows, f, f);
            _gate.Apply(pass, inner);
            _up.Apply(pass, up);
            FeedForwardActivation.Forward(_activation, inner, up, inner, pass.Team);
        }

        pass.Activations.Set(inner, pass.Team);
        _down.Apply(pass, y);
    }
}
