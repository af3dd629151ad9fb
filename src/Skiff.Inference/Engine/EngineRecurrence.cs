// N rows, W recurrence width
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Griffin's recurrent block (arXiv 2402.19427, section 2.4). The counterpart of <c>DecoderRecurrence</c>.</summary>
internal sealed unsafe class EngineRecurrence
{
    // Products read whole panels: so much may be touched behind the last row of a gate.
    private const int Behind = 64;

    private readonly RecurrentConfig _recurrent;
    private readonly Activation _activation;
    private readonly EngineLinear _x, _y, _out;
    private readonly Tensor _numbers;
    private readonly RecurrentWeights _weights;
    private readonly int _index;

    public EngineRecurrence(ModelConfig config, EngineWeights weights, int block)
    {
        (_recurrent, _activation) = (config.Recurrent!, config.HiddenAct);
        _index = config.Layers.Take(block).Count(layer => layer.Kind == LayerKind.Recurrent);
        int l = config.Layers[block].Weights, width = _recurrent.LruWidth, taps = _recurrent.Conv1dWidth, size = width / _recurrent.GateBlocks;
        _x = weights.Linear("recurrent_x", l, true);
        _y = weights.Linear("recurrent_y", l, true);
        _out = weights.Linear("recurrent_out", l, true);
        _numbers = Tensor.Allocate(TensorType.F32, (long)width * (taps + 4 + 2 * size) + Behind);
        float[] tapWeights = weights.Values("convolution", "weight", l);
        float* next = (float*)_numbers.Data;
        _weights = new RecurrentWeights
        {
            Width = width,
            Block = size,
            Taps = taps,
            // Neighbouring channels next to each other, to fill vectors.
            TapWeights = Place(Enumerable.Range(0, tapWeights.Length).Select(i => tapWeights[i % width * taps + i / width])),
            TapBias = Place(weights.Values("convolution", "bias", l)),
            InputBias = Place(weights.Values("recurrence", "input_gate_bias", l)),
            RecurrentBias = Place(weights.Values("recurrence", "recurrent_gate_bias", l)),
            Rates = Place(weights.Values("recurrence", "recurrent_param", l).Select(decay => (float)(LinearRecurrence.Sharpness * Elementwise.Softplus(decay)))),
            InputGate = Place(weights.Values("recurrence", "input_gate_weight", l)),
            RecurrentGate = Place(weights.Values("recurrence", "recurrent_gate_weight", l)),
        };

        float* Place(IEnumerable<float> values)
        {
            float* start = next;
            foreach (float value in values)
                *next++ = value;
            return start;
        }
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues => 3L * _recurrent.LruWidth;

    /// <summary>x [N, D] to the branch's output y [N, D]; the sequences' states move on.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y)
    {
        int width = _recurrent.LruWidth;
        MatrixView inputs = pass.Take(width), gate = pass.Take(width), hidden = pass.Take(width);
        pass.Activations.Set(x, pass.Team);
        _x.Apply(pass, inputs);
        _y.Apply(pass, gate);
        CachedRecurrence.Forward(pass.Recurrent(_index, _recurrent), pass.Sequences, inputs, _weights, hidden, pass.Team);
        FeedForwardActivation.Forward(_activation, gate, hidden, hidden, pass.Team);
        pass.Activations.Set(hidden, pass.Team);
        _out.Apply(pass, y);
        GC.KeepAlive(_numbers);
    }
}
