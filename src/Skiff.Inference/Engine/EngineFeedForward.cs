// N rows, D model, F feed-forward
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Feed-forward, plain or gated. The counterpart of <c>DecoderFeedForward</c>.</summary>
internal sealed class EngineFeedForward
{
    private readonly Activation _activation;
    private readonly bool _isGated;
    private readonly EngineLinears _inputs;
    private readonly EngineLinear _down;

    public EngineFeedForward(ModelConfig config, EngineWeights weights, LayerConfig layer)
        : this(config, weights, "", config.SharedFeedForward ? 0 : layer.Weights, -1)
    {
    }

    /// <summary>One expert, or with index -1 the only feed-forward.</summary>
    public EngineFeedForward(ModelConfig config, EngineWeights weights, string prefix, int layer, int index)
    {
        _activation = config.HiddenAct;
        _isGated = config.Gated;
        EngineLinear up = weights.Linear(prefix + "up", layer, config.MlpBias, index);
        _inputs = _isGated ? new EngineLinears(weights.Linear(prefix + "gate", layer, config.MlpBias, index), up) : new EngineLinears(up);
        _down = weights.Linear(prefix + "down", layer, config.MlpBias, index);
    }

    /// <summary>Scratch values that a row takes.</summary>
    public int RowValues => _inputs.Outputs;

    /// <summary>x [N, D] to the branch's output y [N, D].</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y) => Apply(pass, x, pass.Take(x.Rows, RowValues), y);

    /// <summary>The same with room for what lies between, [N, F] or [N, 2 F]; y may be x.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView room, MatrixView y)
    {
        int f = _down.Inputs;
        MatrixView inner = room.Block(0, x.Rows, 0, f);
        pass.Activations.Set(x, pass.Team);
        _inputs.Apply(pass, room);
        FeedForwardActivation.Forward(_activation, inner, _isGated ? room.Block(0, x.Rows, f, f) : null, inner, pass.Team);
        pass.Activations.Set(inner, pass.Team);
        _down.Apply(pass, y);
    }
}
