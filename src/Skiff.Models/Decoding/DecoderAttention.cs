// T time, H heads, K head size, S positions in the state
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Attention with any number of key-value heads, positions, windows, norms and caps the description asks for.</summary>
internal sealed class DecoderAttention
{
    private readonly ModelConfig _config;
    private readonly LayerConfig _layer;
    private readonly DecoderLinear _query, _key, _value, _output;
    private readonly DecoderNorm[] _queryNorms, _keyNorms;

    public DecoderAttention(ModelConfig config, LayerConfig layer, Func<string, Tensor> parameter)
    {
        int l = layer.Weights;
        (_config, _layer) = (config, layer);
        _query = new DecoderLinear(parameter, "query", l, config.QkvBias);
        _key = new DecoderLinear(parameter, "key", l, config.QkvBias);
        _value = new DecoderLinear(parameter, "value", l, config.QkvBias);
        _output = new DecoderLinear(parameter, "output", l, config.AttentionOutputBias);
        _queryNorms = Norms("query_norm", layer.Heads);
        _keyNorms = Norms("key_norm", layer.KeyValueHeads);

        DecoderNorm[] Norms(string module, int heads) => config.QkNorm switch
        {
            QueryKeyNorm.None => [],
            QueryKeyNorm.EachHead => [.. Enumerable.Range(0, heads).Select(h => new DecoderNorm(config.Norm, parameter, module, l, h, gain: true, bias: false))],
            _ => [new DecoderNorm(config.Norm, parameter, module, l)],
        };
    }

    /// <summary>x [T, D] to the branch's output [T, D]; keys and values join the state.</summary>
    public float[] Apply(Memory<float> x, int time, DecoderState state, LayerState cache)
    {
        int k = _config.HeadDim;
        float[] query = _query.Apply(x.Span), key = _key.Apply(x.Span), value = _value.Apply(x.Span);
        foreach (float[] values in (float[][])[query, key, value])
            Clip(values);
        NormHeads(query, _queryNorms, _layer.Heads);
        NormHeads(key, _keyNorms, _layer.KeyValueHeads);
        if (_layer.Rope is { } rope)
        {
            Rotary.Apply(query, _layer.Heads, k, 0, state.Position, rope.RotaryDim, state.Rotation(rope));
            Rotary.Apply(key, _layer.KeyValueHeads, k, 0, state.Position, rope.RotaryDim, state.Rotation(rope));
        }

        cache.Append(state.Position, key, value);
        return _output.Apply(Attend(_config, _layer, _layer.KeyValueHeads, query, time, state, cache));
    }

    /// <summary>softmax(q k^T scale + position) v for each new position, [T, H, value head].</summary>
    public static float[] Attend(ModelConfig config, LayerConfig layer, int keyValueHeads, float[] query, int time, DecoderState state, LayerState cache)
    {
        int position = state.Position, heads = layer.Heads, k = config.HeadDim, valueDim = config.ValueHeadDim, share = heads / keyValueHeads;
        float[] result = new float[time * heads * valueDim];
        double[] slopes = config.Position == PositionKind.Alibi ? Alibi.Slopes(heads) : [];
        if ((long)time * heads * k * (position + time) < 1 << 18)
        {
            for (int task = 0; task < time * heads; task++)
                One(task);
        }
        else
        {
            Parallel.For(0, time * heads, One);
        }

        return result;

        void One(int task)
        {
            int t = task / heads, h = task % heads, at = position + t, group = h / share;
            int first = layer.SlidingWindow > 0 ? Math.Max(0, at - layer.SlidingWindow + 1) : 0;
            ReadOnlySpan<float> q = query.AsSpan((t * heads + h) * k, k);
            double[] scores = new double[at - first + 1];
            double scale = config.ScaleAttnByInverseLayerIdx ? config.AttentionScale / (layer.Weights + 1) : config.AttentionScale;
            if (config.LogAttentionLength > 0 && at + 1 > config.LogAttentionLength)
                scale *= Math.Log(at + 1) / Math.Log(config.LogAttentionLength);
            for (int j = first; j <= at; j++)
            {
                double score = Linear.Dot(q, cache.Keys.Slice((j * keyValueHeads + group) * k, k)) * scale;
                if (config.AttnLogitSoftcapping > 0)
                    score = Elementwise.SoftCap(score, config.AttnLogitSoftcapping);
                if (slopes.Length > 0)
                    score += slopes[h] * (j - at);
                // Blocks with a window of their own keep to it.
                scores[j - first] = layer.SlidingWindow > 0 || state.Sees(at, j) ? score : double.NegativeInfinity;
            }

            Elementwise.Softmax(scores);
            double[] sum = new double[valueDim];
            for (int j = first; j <= at; j++)
            {
                ReadOnlySpan<float> value = cache.Values.Slice((j * keyValueHeads + group) * valueDim, valueDim);
                for (int i = 0; i < valueDim; i++)
                    sum[i] += scores[j - first] * value[i];
            }

            for (int i = 0; i < valueDim; i++)
                result[(t * heads + h) * valueDim + i] = (float)sum[i];
        }
    }

    private void Clip(float[] values)
    {
        if (_config.ClipQkv <= 0)
            return;
        float bound = (float)_config.ClipQkv;
        for (int i = 0; i < values.Length; i++)
            values[i] = Math.Clamp(values[i], -bound, bound);
    }

    private void NormHeads(float[] x, DecoderNorm[] norms, int heads)
    {
        int k = _config.HeadDim;
        if (_config.QkNorm == QueryKeyNorm.Whole)
            norms[0].Apply(x, heads * k);
        else if (_config.QkNorm == QueryKeyNorm.PerHead)
            norms[0].Apply(x, k);
        for (int i = 0; _config.QkNorm == QueryKeyNorm.EachHead && i < x.Length / k; i++)
            norms[i % heads].Apply(x.AsSpan(i * k, k), k);
    }
}

/// <summary>Rotary embedding (arXiv 2104.09864): pair (i, i + R/2) turns by position times frequency i.</summary>
internal static class Rotary
{
    /// <summary>Turns R values from <paramref name="offset"/> of each head of x [T, heads, headDim] in place.</summary>
    public static void Apply(float[] x, int heads, int headDim, int offset, int position, int rotaryDim, (double[] Frequencies, double Scale) rotation)
    {
        int half = rotaryDim / 2, time = x.Length / (heads * headDim);
        for (int t = 0; t < time; t++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos((position + t) * rotation.Frequencies[i]);
                (sin, cos) = (sin * rotation.Scale, cos * rotation.Scale);
                for (int h = 0; h < heads; h++)
                {
                    ref float a = ref x[(t * heads + h) * headDim + offset + i], b = ref x[(t * heads + h) * headDim + offset + i + half];
                    (a, b) = ((float)(a * cos - b * sin), (float)(b * cos + a * sin));
                }
            }
        }
    }
}

/// <summary>Slopes of the linear position bias (arXiv 2108.12409).</summary>
internal static class Alibi
{
    /// <summary>2^(-8 h / n) for n a power of two; other counts borrow every second slope of the next power.</summary>
    public static double[] Slopes(int heads)
    {
        int power = 1 << (int)Math.Log2(heads);
        double[] slopes = new double[heads];
        for (int h = 0; h < heads; h++)
            slopes[h] = h < power ? Math.Pow(2, -8.0 * (h + 1) / power) : Math.Pow(2, -4.0 * (2 * (h - power) + 1) / power);
        return slopes;
    }
}
