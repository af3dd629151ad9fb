// N rows, H heads, G key-value heads, K head size, V value head size
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Attention of a block over the caches of the pass's sequences. The counterpart of <c>DecoderAttention</c>.</summary>
internal sealed unsafe class EngineAttention
{
    private readonly ModelConfig _config;
    private readonly LayerConfig _layer;
    private readonly EngineLinears _inputs, _keysAndValues;
    private readonly EngineLinear _output;
    private readonly EngineNorm[] _queryNorms, _keyNorms;
    private readonly EngineScores _scores;
    private readonly int _rope;

    public EngineAttention(ModelConfig config, EngineWeights weights, EnginePlan plan, int block)
    {
        (_config, _layer) = (config, config.Layers[block]);
        int l = _layer.Weights;
        EngineLinear key = weights.Linear("key", l, config.QkvBias), value = weights.Linear("value", l, config.QkvBias);
        _inputs = new EngineLinears(weights.Linear("query", l, config.QkvBias), key, value);
        _keysAndValues = new EngineLinears(key, value);
        _output = weights.Linear("output", l, config.AttentionOutputBias);
        _queryNorms = weights.HeadNorms("query_norm", l, _layer.Heads);
        _keyNorms = weights.HeadNorms("key_norm", l, _layer.KeyValueHeads);
        _scores = new EngineScores(config, block);
        _rope = Array.IndexOf(plan.Ropes, _layer.Rope);
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues => _inputs.Outputs + (long)_layer.Heads * _config.ValueHeadDim;

    /// <summary>x [N, D] to the branch's output y [N, D]; keys and values join the caches.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y)
    {
        int k = _config.HeadDim, queries = _layer.Heads * k, keys = _layer.KeyValueHeads * k, n = pass.Rows;
        MatrixView joint = pass.Take(_inputs.Outputs), attended = pass.Take(_layer.Heads * _config.ValueHeadDim);
        MatrixView query = joint.Block(0, n, 0, queries), key = joint.Block(0, n, queries, keys), value = joint.Block(0, n, queries + keys, joint.Columns - queries - keys);
        pass.Activations.Set(x, pass.Team);
        _inputs.Apply(pass, joint);
        if (_config.ClipQkv > 0)
            Clip.Apply(joint, (float)_config.ClipQkv, pass.Team);
        Turn(pass, query, _queryNorms);
        Turn(pass, key, _keyNorms);
        _scores.Write(pass, key, value, _config.ValueHeadDim);
        _scores.Attend(pass, query, attended);
        pass.Activations.Set(attended, pass.Team);
        _output.Apply(pass, y);
    }

    /// <summary>Keys and values of x [N, D] join the caches, and nothing else is computed.</summary>
    public void Remember(EnginePass pass, MatrixView x)
    {
        int keys = _layer.KeyValueHeads * _config.HeadDim;
        MatrixView joint = pass.Take(_keysAndValues.Outputs), key = joint.Block(0, pass.Rows, 0, keys);
        pass.Activations.Set(x, pass.Team);
        _keysAndValues.Apply(pass, joint);
        if (_config.ClipQkv > 0)
            Clip.Apply(joint, (float)_config.ClipQkv, pass.Team);
        Turn(pass, key, _keyNorms);
        _scores.Write(pass, key, joint.Block(0, pass.Rows, keys, joint.Columns - keys), _config.ValueHeadDim);
    }

    private void Turn(EnginePass pass, MatrixView x, EngineNorm[] norms)
    {
        NormHeads(pass, x, norms);
        if (_rope < 0)
            return;
        (MatrixView cosines, MatrixView sines) = pass.Angles(_rope);
        RotaryEmbedding.Forward(x, _config.HeadDim, cosines, sines, 0, pass.Team);
    }

    private void NormHeads(EnginePass pass, MatrixView x, EngineNorm[] norms)
    {
        int k = _config.HeadDim;
        if (_config.QkNorm == QueryKeyNorm.Whole)
            norms[0].Apply(pass, x, x);
        else if (_config.QkNorm == QueryKeyNorm.PerHead)
            norms[0].ApplyHeads(pass, x, k);
        for (int h = 0; _config.QkNorm == QueryKeyNorm.EachHead && h < norms.Length; h++)
            norms[h].ApplyHeads(pass, x.Block(0, x.Rows, h * k, k), k);
    }
}

/// <summary>A block's way from queries, keys and values to what its heads found.</summary>
internal sealed unsafe class EngineScores
{
    private readonly CachedAttentionSettings _settings;
    private readonly float[] _slopes;
    private readonly int _block;

    public EngineScores(ModelConfig config, int block)
    {
        LayerConfig layer = config.Layers[block];
        _block = block;
        _slopes = config.Position == PositionKind.Alibi ? [.. Alibi.Slopes(layer.Heads).Select(slope => (float)slope)] : [];
        _settings = new CachedAttentionSettings
        {
            Scale = (float)(config.ScaleAttnByInverseLayerIdx ? config.AttentionScale / (layer.Weights + 1) : config.AttentionScale),
            SoftCap = (float)config.AttnLogitSoftcapping,
        };
    }

    /// <summary>Keys and values into the caches.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="key">[N, G K].</param>
    /// <param name="value">From the first head's value on.</param>
    /// <param name="valueStride">Values from one head's value to the next head's.</param>
    public void Write(EnginePass pass, MatrixView key, MatrixView value, int valueStride) =>
        CacheWrite.Run(pass.Cached(_block), pass.Sequences, key, value, valueStride, pass.Team);

    /// <summary>Queries [N, H K] over the caches to what heads find, [N, H V], overwritten.</summary>
    public void Attend(EnginePass pass, MatrixView query, MatrixView attended)
    {
        CachedRows* rows = pass.Cached(_block);
        pass.Queries?.Invoke(_block, *rows, query, pass.Factors, _settings);
        CachedAttention.Forward(rows, pass.Sequences, query, pass.Factors, _slopes, _settings, attended, pass.Team);
    }
}
