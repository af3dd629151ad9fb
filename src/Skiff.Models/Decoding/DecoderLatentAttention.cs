// T time, H heads, N unrotated and R rotated part of a head
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Multi-head latent attention (arXiv 2405.04434, equations 9 to 19): queries, and keys with values, pass through a
/// narrow latent; one rotated key is shared by all heads.
/// </summary>
internal sealed class DecoderLatentAttention
{
    private readonly ModelConfig _config;
    private readonly LayerConfig _layer;
    private readonly LatentAttentionConfig _latent;
    private readonly DecoderLinear _queryA, _queryB, _keyValueA, _keyValueB, _output;
    private readonly DecoderNorm _queryNorm, _keyValueNorm;

    public DecoderLatentAttention(ModelConfig config, LayerConfig layer, Func<string, Tensor> parameter)
    {
        (_config, _layer, _latent) = (config, layer, config.Latent!);
        int l = layer.Weights;
        _queryA = new DecoderLinear(parameter, "query_a", l, config.QkvBias);
        _queryB = new DecoderLinear(parameter, "query_b", l, false);
        _keyValueA = new DecoderLinear(parameter, "key_value_a", l, config.QkvBias);
        _keyValueB = new DecoderLinear(parameter, "key_value_b", l, false);
        _output = new DecoderLinear(parameter, "output", l, config.AttentionOutputBias);
        // The published code leaves these two norms at their default.
        NormConfig norm = config.Norm with { Epsilon = 1e-6 };
        _queryNorm = new DecoderNorm(norm, parameter, "query_a_norm", l);
        _keyValueNorm = new DecoderNorm(norm, parameter, "key_value_a_norm", l);
    }

    /// <summary>x [T, D] to the branch's output [T, D].</summary>
    public float[] Apply(Memory<float> x, int time, DecoderState state, LayerState cache)
    {
        int heads = _layer.Heads, n = _latent.QkNopeHeadDim, r = _latent.QkRopeHeadDim, v = _latent.VHeadDim, rank = _latent.KvLoraRank;
        float[] compressed = _queryA.Apply(x.Span);
        _queryNorm.Apply(compressed, _latent.QLoraRank);
        float[] query = _queryB.Apply(compressed), joint = _keyValueA.Apply(x.Span);
        float[] latent = new float[time * rank], shared = new float[time * r];
        for (int t = 0; t < time; t++)
        {
            joint.AsSpan(t * (rank + r), rank).CopyTo(latent.AsSpan(t * rank));
            joint.AsSpan(t * (rank + r) + rank, r).CopyTo(shared.AsSpan(t * r));
        }

        _keyValueNorm.Apply(latent, rank);
        float[] expanded = _keyValueB.Apply(latent);
        if (_layer.Rope is { } rope)
        {
            Rotary.Apply(query, heads, n + r, n, state.Position, r, state.Rotation(rope));
            Rotary.Apply(shared, 1, r, 0, state.Position, r, state.Rotation(rope));
        }

        float[] keys = new float[time * heads * (n + r)], values = new float[time * heads * v];
        for (int row = 0; row < time * heads; row++)
        {
            expanded.AsSpan(row * (n + v), n).CopyTo(keys.AsSpan(row * (n + r)));
            shared.AsSpan(row / heads * r, r).CopyTo(keys.AsSpan(row * (n + r) + n));
            expanded.AsSpan(row * (n + v) + n, v).CopyTo(values.AsSpan(row * v));
        }

        cache.Append(state.Position, keys, values);
        return _output.Apply(DecoderAttention.Attend(_config, _layer, heads, query, time, state, cache));
    }
}
