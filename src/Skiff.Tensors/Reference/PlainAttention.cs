namespace Skiff.Tensors;

/// <summary>
/// The scalar twin of <see cref="Attention"/>: whole rows of scores in double precision, gradients by the plain formulas. Every
/// array is [B, T, heads, size] without gaps.
/// </summary>
public sealed class PlainAttention
{
    // B batch, T time, H heads, G key-value heads, K head size, V value head size
    private readonly int _batch, _time, _heads, _groups, _k, _v;
    private readonly double _scale, _softCap;
    private readonly double[] _slopes;
    private readonly Func<int, int, int, bool> _sees;

    /// <summary>Describes one attention.</summary>
    /// <param name="shape">B, T, H, G, K and V.</param>
    /// <param name="settings">Scale and cap.</param>
    /// <param name="slopes">[H] slopes of the linear bias, or empty.</param>
    /// <param name="sees">Whether, in a row b of the batch, position i sees position j.</param>
    public PlainAttention(
        (int Batch, int Time, int Heads, int Groups, int HeadDim, int ValueDim) shape, AttentionSettings settings, double[] slopes, Func<int, int, int, bool> sees)
    {
        (_batch, _time, _heads, _groups, _k, _v) = shape;
        (_scale, _softCap) = (settings.Scale, settings.SoftCap);
        (_slopes, _sees) = (slopes, sees);
    }

    /// <summary>The result [B, T, H, V] and the log of the sum of exponentials [B, H, T].</summary>
    public (double[] Output, double[] LogSumExp) Forward(double[] query, double[] key, double[] value)
    {
        double[] output = new double[_batch * _time * _heads * _v], logs = new double[_batch * _heads * _time];
        ForEachQuery((b, i, h) =>
        {
            (double[] p, _, double log) = Probabilities(query, key, b, i, h);
            logs[(b * _heads + h) * _time + i] = log;
            for (int j = 0; j <= i; j++)
            {
                for (int c = 0; c < _v && p[j] > 0; c++)
                    output[At(b, i, h, _heads, _v) + c] += p[j] * value[At(b, j, Group(h), _groups, _v) + c];
            }
        });
        return (output, logs);
    }

    /// <summary>Gradients of the sum of <paramref name="outputGradient"/> times the result.</summary>
    public (double[] Query, double[] Key, double[] Value) Backward(double[] query, double[] key, double[] value, double[] outputGradient)
    {
        double[] dq = new double[query.Length], dk = new double[key.Length], dv = new double[value.Length];
        ForEachQuery((b, i, h) =>
        {
            (double[] p, double[] slope, _) = Probabilities(query, key, b, i, h);
            int q = At(b, i, h, _heads, _k), o = At(b, i, h, _heads, _v);
            double[] dp = new double[i + 1];
            double mean = 0;
            for (int j = 0; j <= i; j++)
            {
                for (int c = 0; c < _v && p[j] > 0; c++)
                {
                    int at = At(b, j, Group(h), _groups, _v) + c;
                    dp[j] += outputGradient[o + c] * value[at];
                    dv[at] += p[j] * outputGradient[o + c];
                }

                mean += p[j] * dp[j];
            }

            for (int j = 0; j <= i; j++)
            {
                double ds = p[j] * (dp[j] - mean) * slope[j];
                for (int c = 0; c < _k && p[j] > 0; c++)
                {
                    int at = At(b, j, Group(h), _groups, _k) + c;
                    dq[q + c] += ds * key[at];
                    dk[at] += ds * query[q + c];
                }
            }
        });
        return (dq, dk, dv);
    }

    private void ForEachQuery(Action<int, int, int> work)
    {
        for (int b = 0; b < _batch; b++)
        {
            for (int i = 0; i < _time; i++)
            {
                for (int h = 0; h < _heads; h++)
                    work(b, i, h);
            }
        }
    }

    // Probabilities of 0 to i, and how each score grows with its product.
    private (double[] Probability, double[] Slope, double LogSumExp) Probabilities(double[] query, double[] key, int b, int i, int h)
    {
        double[] scores = new double[i + 1], slope = new double[i + 1];
        for (int j = 0; j <= i; j++)
        {
            scores[j] = double.NegativeInfinity;
            if (!_sees(b, i, j))
                continue;
            double product = 0;
            for (int c = 0; c < _k; c++)
                product += query[At(b, i, h, _heads, _k) + c] * key[At(b, j, Group(h), _groups, _k) + c];
            double curve = _softCap > 0 ? Math.Tanh(product * _scale / _softCap) : 0;
            scores[j] = _softCap > 0 ? _softCap * curve : product * _scale;
            slope[j] = _scale * (1 - curve * curve);
            if (_slopes.Length > 0)
                scores[j] += _slopes[h] * (j - i);
        }

        double most = scores.Max(), sum = 0;
        for (int j = 0; j <= i; j++)
            sum += scores[j] = Math.Exp(scores[j] - most);
        for (int j = 0; j <= i; j++)
            scores[j] /= sum;
        return (scores, slope, most + Math.Log(sum));
    }

    private int Group(int head) => head / (_heads / _groups);

    private int At(int b, int t, int head, int heads, int size) => ((b * _time + t) * heads + head) * size;
}
