// N tokens, D model, H heads, G key-value heads, K head size, F feed-forward, E experts
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>One block of the decoder: the counterpart of <c>DecoderBlock</c>.</summary>
internal sealed partial class DecoderTape
{
    private TapeValue Block(TapeValue x, LayerConfig layer)
    {
        TapeValue attentionInput = Normed(x, "attention_norm", layer);
        TapeValue mixed = layer.Kind == LayerKind.Recurrent ? Recurrence(attentionInput, layer)
            : _config.Latent is { } latent ? LatentAttention(attentionInput, layer, latent)
            : PlainAttention(attentionInput, layer);
        float scale = (float)_config.ResidualScale;
        if (_config.UseParallelResidual)
        {
            TapeValue parallelInput = _config.SharedParallelNorm ? attentionInput : Normed(x, "feed_forward_norm", layer);
            TapeValue fed = FeedForward(parallelInput, layer);
            return _tape.Residual(_tape.Residual(x, mixed, scale), fed, scale);
        }

        x = Join(_config.ApplyResidualConnectionPostLayernorm ? attentionInput : x, mixed, "post_attention_norm", layer);
        TapeValue feedForwardInput = Normed(x, "feed_forward_norm", layer);
        TapeValue fedForward = FeedForward(feedForwardInput, layer);
        return Join(_config.ApplyResidualConnectionPostLayernorm ? feedForwardInput : x, fedForward, "post_feed_forward_norm", layer);
    }

    private TapeValue Normed(TapeValue x, string module, LayerConfig layer) =>
        ParameterList.NormModules(_config).Contains(module) ? Norm(x, module, layer.Weights) : x;

    private TapeValue Join(TapeValue x, TapeValue branch, string norm, LayerConfig layer)
    {
        if (_config.NormPlacement is NormPlacement.AfterBranch or NormPlacement.Both)
            branch = Norm(branch, norm, layer.Weights);
        x = _tape.Residual(x, branch, (float)_config.ResidualScale);
        return _config.NormPlacement == NormPlacement.AfterResidual ? Norm(x, norm, layer.Weights) : x;
    }

    private TapeValue PlainAttention(TapeValue x, LayerConfig layer)
    {
        int k = _config.HeadDim, l = layer.Weights, queries = layer.Heads * k, keys = layer.KeyValueHeads * k;
        TapeValue joint = Linear(x, l, _config.QkvBias, "query", "key", "value");
        if (_config.ClipQkv > 0)
            joint = _tape.Clip(joint, (float)_config.ClipQkv);
        TapeValue query = HeadNorm(joint.Block(0, queries), "query_norm", layer.Heads, l);
        TapeValue key = HeadNorm(joint.Block(queries, keys), "key_norm", layer.KeyValueHeads, l);
        if (layer.Rope is { } rope)
        {
            _tape.Rotary(query, Rotation(rope), k, _positions);
            _tape.Rotary(key, Rotation(rope), k, _positions);
        }

        TapeValue value = joint.Block(queries + keys, layer.KeyValueHeads * _config.ValueHeadDim);
        return Linear(Attend(layer, new(query, layer.Heads), new(key, layer.KeyValueHeads), new(value, layer.KeyValueHeads)), l, _config.AttentionOutputBias, "output");
    }

    private TapeValue HeadNorm(TapeValue x, string module, int heads, int l)
    {
        NormConfig norm = _config.Norm;
        NormSettings settings = new(norm.Rms, norm.Epsilon, norm.GainOffset);
        return _config.QkNorm switch
        {
            QueryKeyNorm.None => x,
            QueryKeyNorm.EachHead => _tape.Norm(
                x, [.. Enumerable.Range(0, heads).Select(h => _parameters.Tape(Parameter.NameOf(module, "weight", l, h)))], null, settings, heads),
            _ => _tape.Norm(
                x, norm.Gain ? [_parameters.Tape(Parameter.NameOf(module, "weight", l))] : [],
                norm.Bias ? _parameters.Tape(Parameter.NameOf(module, "bias", l)) : null, settings, _config.QkNorm == QueryKeyNorm.Whole ? 1 : heads),
        };
    }

    private TapeValue Attend(LayerConfig layer, HeadColumns query, HeadColumns key, HeadColumns value)
    {
        if (_queryFactors.Length > 0)
            _tape.RowScale(query.Value, _queryFactors);
        AttentionSettings settings = new()
        {
            Scale = (float)(_config.ScaleAttnByInverseLayerIdx ? _config.AttentionScale / (layer.Weights + 1) : _config.AttentionScale),
            SoftCap = (float)_config.AttnLogitSoftcapping,
        };
        float[] slopes = _config.Position == PositionKind.Alibi ? [.. Alibi.Slopes(layer.Heads).Select(slope => (float)slope)] : [];
        return _tape.Attention(query, key, value, settings, Visible(RuleOf(layer)), _options.Batch, slopes);
    }

    // Blocks with a window of their own keep to it.
    private VisibilityRule RuleOf(LayerConfig layer) =>
        layer.SlidingWindow == 0 && _config.Anchors is { } anchors ? anchors.Rule : VisibilityRule.Causal with { Window = layer.SlidingWindow };

    private TapeValue FeedForward(TapeValue x, LayerConfig layer)
    {
        int l = _config.SharedFeedForward ? 0 : layer.Weights, f = layer.IntermediateSize;
        if (_config.NumLocalExperts > 0)
            return Experts(x, layer);
        TapeValue inner;
        if (_config.Gated)
        {
            TapeValue joint = Linear(x, l, _config.MlpBias, "gate", "up");
            inner = _tape.Activation(_config.HiddenAct, joint.Block(0, f), joint.Block(f, f));
        }
        else
            inner = _tape.Activation(_config.HiddenAct, Linear(x, l, _config.MlpBias, "up"), null);
        return Linear(inner, l, _config.MlpBias, "down");
    }

    // Every expert's tokens one behind the other, its matrices over its share of them, and the results back to where they came from.
    private TapeValue Experts(TapeValue x, LayerConfig layer)
    {
        int l = layer.Weights, f = layer.IntermediateSize;
        ExpertRoute route = _tape.Route(
            Linear(x, l, false, "router"), _config.NumExpertsPerTok, new ExpertLoss(_options.ExpertBalance, _options.RouterZ));
        _expertLosses.Add(route.Loss);
        TapeValue rows = _tape.Gather(x, route), inner;
        if (_config.Gated)
        {
            TapeValue joint = ExpertLinear(rows, route, l, "experts.gate", "experts.up");
            inner = _tape.Activation(_config.HiddenAct, joint.Block(0, f), joint.Block(f, f));
        }
        else
            inner = _tape.Activation(_config.HiddenAct, ExpertLinear(rows, route, l, "experts.up"), null);
        return _tape.Combine(ExpertLinear(inner, route, l, "experts.down"), route);
    }

    private TapeValue ExpertLinear(TapeValue rows, ExpertRoute route, int layer, params string[] modules)
    {
        bool adapted = modules.Any(Adapts);
        TapeValue y = _tape.ExpertLinear(rows, route, Matrices("weight", layer, modules), _config.MlpBias ? Matrices("bias", layer, modules) : [], adapted);
        if (adapted)
            Adapt(rows, y, layer, modules, route);
        return y;
    }

    private TapeValue LatentAttention(TapeValue x, LayerConfig layer, LatentAttentionConfig latent)
    {
        int heads = layer.Heads, n = latent.QkNopeHeadDim, r = latent.QkRopeHeadDim, v = latent.VHeadDim, rank = latent.KvLoraRank, l = layer.Weights;
        // The published code leaves these two norms at their default.
        NormSettings norm = new(_config.Norm.Rms, 1e-6, _config.Norm.GainOffset);
        TapeValue compressed = _tape.Norm(Linear(x, l, _config.QkvBias, "query_a"), [_parameters.Tape(Parameter.NameOf("query_a_norm", "weight", l))], null, norm);
        TapeValue query = Linear(compressed, l, false, "query_b"), joint = Linear(x, l, _config.QkvBias, "key_value_a"), shared = joint.Block(rank, r);
        TapeValue expanded = Linear(
            _tape.Norm(joint.Block(0, rank), [_parameters.Tape(Parameter.NameOf("key_value_a_norm", "weight", l))], null, norm), l, false, "key_value_b");
        if (layer.Rope is { } rope)
        {
            _tape.Rotary(query, Rotation(rope), n + r, _positions, n);
            _tape.Rotary(shared, Rotation(rope), r, _positions);
        }

        TapeValue keys = _tape.SharedKeys(expanded.Block(0, expanded.Columns), shared, heads, n);
        return Linear(Attend(layer, new(query, heads), new(keys, heads), new(expanded, heads, v, n + v, n)), l, _config.AttentionOutputBias, "output");
    }

    // Griffin's block (arXiv 2402.19427, section 2.4).
    private TapeValue Recurrence(TapeValue x, LayerConfig layer)
    {
        int l = layer.Weights;
        TapeValue convolved = _tape.ShortConvolution(
            Linear(x, l, true, "recurrent_x"), Flat("convolution", "weight"), Flat("convolution", "bias"), _starts, _options.Batch);
        TapeValue gate = Linear(x, l, true, "recurrent_y");
        TapeValue input = _tape.BlockDiagonal(convolved, Flat("recurrence", "input_gate_weight"), Flat("recurrence", "input_gate_bias"));
        TapeValue recurrent = _tape.BlockDiagonal(convolved, Flat("recurrence", "recurrent_gate_weight"), Flat("recurrence", "recurrent_gate_bias"));
        TapeValue hidden = _tape.LinearRecurrence(convolved, input, recurrent, Flat("recurrence", "recurrent_param"), _starts, _options.Batch);
        return Linear(_tape.Activation(_config.HiddenAct, gate, hidden), l, true, "recurrent_out");

        TapeParameter Flat(string module, string kind) => _parameters.Tape(Parameter.NameOf(module, kind, l));
    }
}
