// N rows, H heads, n unrotated and r rotated part of a head, v value part
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Multi-head latent attention (arXiv 2405.04434, equations 9 to 19). The counterpart of <c>DecoderLatentAttention</c>.</summary>
internal sealed class EngineLatentAttention
{
    private readonly LayerConfig _layer;
    private readonly LatentAttentionConfig _latent;
    private readonly EngineLinear _queryA, _queryB, _keyValueA, _keyValueB, _output;
    private readonly EngineNorm _queryNorm, _keyValueNorm;
    private readonly EngineScores _scores;
    private readonly int _rope;

    public EngineLatentAttention(ModelConfig config, EngineWeights weights, EnginePlan plan, int block)
    {
        (_layer, _latent) = (config.Layers[block], config.Latent!);
        int l = _layer.Weights;
        _queryA = weights.Linear("query_a", l, config.QkvBias);
        _queryB = weights.Linear("query_b", l, false);
        _keyValueA = weights.Linear("key_value_a", l, config.QkvBias);
        _keyValueB = weights.Linear("key_value_b", l, false);
        _output = weights.Linear("output", l, config.AttentionOutputBias);
        // The published code leaves these two norms at their default.
        NormConfig norm = config.Norm with { Epsilon = 1e-6 };
        _queryNorm = weights.Norm(norm, "query_a_norm", l);
        _keyValueNorm = weights.Norm(norm, "key_value_a_norm", l);
        _scores = new EngineScores(config, block);
        _rope = Array.IndexOf(plan.Ropes, _layer.Rope);
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues => _queryA.Outputs + 2L * _queryB.Outputs + _keyValueA.Outputs + _keyValueB.Outputs + (long)_layer.Heads * _latent.VHeadDim;

    /// <summary>x [N, D] to the branch's output y [N, D]; keys and values join the caches.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y)
    {
        int heads = _layer.Heads, n = _latent.QkNopeHeadDim, r = _latent.QkRopeHeadDim, v = _latent.VHeadDim;
        MatrixView compressed = pass.Take(_queryA.Outputs), query = pass.Take(_queryB.Outputs), attended = pass.Take(heads * v);
        pass.Activations.Set(x, pass.Team);
        _queryA.Apply(pass, compressed);
        WriteKeys(pass);
        _queryNorm.Apply(pass, compressed, compressed);
        pass.Activations.Set(compressed, pass.Team);
        _queryB.Apply(pass, query);
        Turn(pass, query, n + r, n);
        _scores.Attend(pass, query, attended);
        pass.Activations.Set(attended, pass.Team);
        _output.Apply(pass, y);
    }

    /// <summary>Keys and values of x [N, D] join the caches, and nothing else is computed.</summary>
    public void Remember(EnginePass pass, MatrixView x)
    {
        pass.Activations.Set(x, pass.Team);
        WriteKeys(pass);
    }

    // Of the pass's activations.
    private void WriteKeys(EnginePass pass)
    {
        int heads = _layer.Heads, n = _latent.QkNopeHeadDim, r = _latent.QkRopeHeadDim, v = _latent.VHeadDim, rank = _latent.KvLoraRank;
        MatrixView joint = pass.Take(_keyValueA.Outputs), expanded = pass.Take(_keyValueB.Outputs), keys = pass.Take(heads * (n + r));
        MatrixView latent = joint.Block(0, pass.Rows, 0, rank), shared = joint.Block(0, pass.Rows, rank, r);
        _keyValueA.Apply(pass, joint);
        _keyValueNorm.Apply(pass, latent, latent);
        pass.Activations.Set(latent, pass.Team);
        _keyValueB.Apply(pass, expanded);
        Turn(pass, shared, r, 0);
        SharedKeys.Forward(expanded, shared, heads, keys, pass.Team);
        // The values stay where they are, behind each head's unrotated key.
        _scores.Write(pass, keys, expanded.Block(0, pass.Rows, n, expanded.Columns - n), n + v);
    }

    private void Turn(EnginePass pass, MatrixView x, int headDim, int offset)
    {
        if (_rope < 0)
            return;
        (MatrixView cosines, MatrixView sines) = pass.Angles(_rope);
        RotaryEmbedding.Forward(x, headDim, cosines, sines, offset, pass.Team);
    }
}
