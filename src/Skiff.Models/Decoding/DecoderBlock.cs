// T time, D model, F feed-forward
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>One block: norms, mixer, feed-forward, joined to the residual as the description says.</summary>
internal sealed class DecoderBlock
{
    private readonly ModelConfig _config;
    private readonly Func<Memory<float>, int, DecoderState, LayerState, float[]> _mixer;
    private readonly DecoderFeedForward _feedForward;
    private readonly Dictionary<string, DecoderNorm> _norms = [];

    public DecoderBlock(ModelConfig config, LayerConfig layer, Func<string, Tensor> parameter)
    {
        _config = config;
        foreach (string module in ParameterList.NormModules(config))
            _norms[module] = new DecoderNorm(config.Norm, parameter, module, layer.Weights);
        _mixer = layer.Kind == LayerKind.Recurrent ? new DecoderRecurrence(config, layer, parameter).Apply
            : config.Latent is not null ? new DecoderLatentAttention(config, layer, parameter).Apply
            : new DecoderAttention(config, layer, parameter).Apply;
        _feedForward = new DecoderFeedForward(config, layer, parameter);
    }

    /// <summary>x [T, D] becomes the block's output.</summary>
    public void Apply(float[] x, int time, DecoderState state, LayerState layerState)
    {
        float[] attentionInput = Normed("attention_norm", x);
        float[] mixed = _mixer(attentionInput, time, state, layerState);
        if (_config.UseParallelResidual)
        {
            float[] parallelInput = _config.SharedParallelNorm ? attentionInput : Normed("feed_forward_norm", x);
            float[] fed = _feedForward.Apply(parallelInput, time);
            Join(x, mixed);
            Join(x, fed);
            return;
        }

        Join(Residual(x, attentionInput), mixed, "post_attention_norm");
        float[] feedForwardInput = Normed("feed_forward_norm", x);
        float[] fedForward = _feedForward.Apply(feedForwardInput, time);
        Join(Residual(x, feedForwardInput), fedForward, "post_feed_forward_norm");
    }

    // A copy, or x itself where this family has no norm in this place.
    private float[] Normed(string module, float[] x)
    {
        if (!_norms.TryGetValue(module, out DecoderNorm? norm))
            return x;
        float[] copy = [.. x];
        norm.Apply(copy, _config.HiddenSize);
        return copy;
    }

    private float[] Residual(float[] x, float[] normed)
    {
        if (_config.ApplyResidualConnectionPostLayernorm)
            normed.CopyTo(x, 0);
        return x;
    }

    private void Join(float[] x, float[] branch, string? norm = null)
    {
        if (norm is not null && _config.NormPlacement is NormPlacement.AfterBranch or NormPlacement.Both)
            _norms[norm!].Apply(branch, _config.HiddenSize);
        Decoder.Add(x, branch, _config.ResidualScale);
        if (norm is not null && _config.NormPlacement == NormPlacement.AfterResidual)
            _norms[norm].Apply(x, _config.HiddenSize);
    }
}

/// <summary>A matrix with its bias at hand.</summary>
internal sealed class DecoderLinear(Func<string, Tensor> parameter, string module, int layer, bool bias, int index = -1)
{
    private readonly Tensor _weight = parameter(Parameter.NameOf(module, "weight", layer, index));
    private readonly Tensor? _bias = bias ? parameter(Parameter.NameOf(module, "bias", layer, index)) : null;

    /// <summary>x [T, inputs] to [T, outputs].</summary>
    public float[] Apply(ReadOnlySpan<float> x)
    {
        float[] y = new float[x.Length / _weight.Columns * _weight.Rows];
        Linear.Apply(_weight, _bias, x, y);
        return y;
    }
}

/// <summary>Feed-forward, plain or gated, alone or as a mixture of experts.</summary>
internal sealed class DecoderFeedForward
{
    private readonly ModelConfig _config;
    private readonly Func<double, double> _activation;
    private readonly DecoderLinear? _router;
    private readonly (DecoderLinear? Gate, DecoderLinear Up, DecoderLinear Down)[] _experts;

    public DecoderFeedForward(ModelConfig config, LayerConfig layer, Func<string, Tensor> parameter)
    {
        _config = config;
        int l = config.SharedFeedForward ? 0 : layer.Weights;
        _activation = Function(config.HiddenAct);
        bool mixture = config.NumLocalExperts > 0;
        _router = mixture ? new DecoderLinear(parameter, "router", l, false) : null;
        string prefix = mixture ? "experts." : "";
        _experts = [.. Enumerable.Range(mixture ? 0 : -1, Math.Max(1, config.NumLocalExperts)).Select(e => (
            config.Gated ? new DecoderLinear(parameter, prefix + "gate", l, config.MlpBias, e) : null,
            new DecoderLinear(parameter, prefix + "up", l, config.MlpBias, e),
            new DecoderLinear(parameter, prefix + "down", l, config.MlpBias, e)))];
    }

    public static Func<double, double> Function(Activation activation) => activation switch
    {
        Activation.Silu => Elementwise.Silu,
        Activation.Gelu => Elementwise.Gelu,
        Activation.GeluTanh => Elementwise.GeluTanh,
        Activation.Relu => Elementwise.Relu,
        Activation.Relu2 => Elementwise.Relu2,
        _ => Elementwise.QuickGelu,
    };

    public float[] Apply(ReadOnlySpan<float> x, int time)
    {
        if (_router is null)
            return Expert(0, x);
        float[] scores = _router.Apply(x), y = new float[x.Length];
        int width = _config.HiddenSize;
        for (int t = 0; t < time; t++)
        {
            double[] shares = [.. scores.AsSpan(t * _experts.Length, _experts.Length).ToArray().Select(s => (double)s)];
            Elementwise.Softmax(shares);
            int[] chosen = [.. Enumerable.Range(0, shares.Length).OrderByDescending(e => shares[e]).Take(_config.NumExpertsPerTok)];
            double total = chosen.Sum(e => shares[e]);
            foreach (int e in chosen)
                Decoder.Add(y.AsSpan(t * width, width), Expert(e, x.Slice(t * width, width)), shares[e] / total);
        }

        return y;
    }

    private float[] Expert(int e, ReadOnlySpan<float> x)
    {
        (DecoderLinear? gate, DecoderLinear up, DecoderLinear down) = _experts[e];
        float[] inner = up.Apply(x), gates = gate?.Apply(x) ?? inner;
        for (int i = 0; i < inner.Length; i++)
            inner[i] = (float)(gate is null ? _activation(inner[i]) : _activation(gates[i]) * inner[i]);
        return down.Apply(inner);
    }
}
