// T time, W recurrence width, B width of a gate block
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Griffin's recurrent block (arXiv 2402.19427, section 2.4): a short convolution, then the RG-LRU, gated.</summary>
internal sealed class DecoderRecurrence
{
    // The constant c of equation 4.
    private const double GateSharpness = 8;

    private readonly RecurrentConfig _recurrent;
    private readonly DecoderLinear _x, _y, _out;
    private readonly float[] _taps, _tapBias, _decay, _inputGate, _inputBias, _recurrentGate, _recurrentBias;
    private readonly Func<double, double> _activation;

    public DecoderRecurrence(ModelConfig config, LayerConfig layer, Func<string, Tensor> parameter)
    {
        _recurrent = config.Recurrent!;
        _activation = DecoderFeedForward.Function(config.HiddenAct);
        int l = layer.Weights;
        _x = new DecoderLinear(parameter, "recurrent_x", l, true);
        _y = new DecoderLinear(parameter, "recurrent_y", l, true);
        _out = new DecoderLinear(parameter, "recurrent_out", l, true);
        _taps = Read("convolution", "weight");
        _tapBias = Read("convolution", "bias");
        _decay = Read("recurrence", "recurrent_param");
        _inputGate = Read("recurrence", "input_gate_weight");
        _inputBias = Read("recurrence", "input_gate_bias");
        _recurrentGate = Read("recurrence", "recurrent_gate_weight");
        _recurrentBias = Read("recurrence", "recurrent_gate_bias");

        float[] Read(string module, string kind)
        {
            Tensor tensor = parameter(Parameter.NameOf(module, kind, l));
            float[] values = new float[tensor.Count];
            tensor.Reshape(1, tensor.Count).ReadRow(0, values);
            return values;
        }
    }

    /// <summary>x [T, D] to the branch's output [T, D]; the state's convolution taps and h move on.</summary>
    public float[] Apply(Memory<float> x, int time, DecoderState state, LayerState cache)
    {
        int width = _recurrent.LruWidth, taps = _recurrent.Conv1dWidth;
        float[] inputs = _x.Apply(x.Span), gate = _y.Apply(x.Span);
        float[] history = [.. cache.Taps, .. inputs];
        double[] step = new double[width];
        for (int t = 0; t < time; t++)
        {
            for (int w = 0; w < width; w++)
            {
                double sum = _tapBias[w];
                for (int k = 0; k < taps; k++)
                    sum += (double)_taps[w * taps + k] * history[(t + k) * width + w];
                step[w] = sum;
            }

            Recur(step, cache.Hidden, state.Position + t == 0);
            for (int w = 0; w < width; w++)
                gate[t * width + w] = (float)(cache.Hidden[w] * _activation(gate[t * width + w]));
        }

        history.AsSpan(time * width).CopyTo(cache.Taps);
        return _out.Apply(gate);
    }

    // Equations 1 to 4: h = a h + sqrt(1 - a^2) (i x), with a = exp(-c softplus(decay) r).
    private void Recur(double[] x, double[] hidden, bool first)
    {
        int block = _recurrent.LruWidth / _recurrent.GateBlocks;
        for (int w = 0; w < x.Length; w++)
        {
            double input = _inputBias[w], recurrence = _recurrentBias[w];
            for (int i = 0, start = w / block * block; i < block; i++)
            {
                input += x[start + i] * _inputGate[(start + i) * block + w % block];
                recurrence += x[start + i] * _recurrentGate[(start + i) * block + w % block];
            }

            double logA = -GateSharpness * Elementwise.Sigmoid(recurrence) * Elementwise.Softplus(_decay[w]);
            double gated = x[w] * Elementwise.Sigmoid(input);
            hidden[w] = first ? gated : Math.Exp(logA) * hidden[w] + Math.Sqrt(1 - Math.Exp(2 * logA)) * gated;
        }
    }
}
