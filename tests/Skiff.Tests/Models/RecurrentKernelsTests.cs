using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Tensors;

namespace Skiff.Tests.Models;

/// <summary>The kernels of a recurrent block together, against the plain decoder's block.</summary>
public sealed unsafe class RecurrentKernelsTests
{
    [Theory]
    [InlineData("recurrent_gemma")]
    [InlineData("recurrent_gemma_dmwindow")]
    public void PackedDocumentsHaveTheStatesThatThePlainDecoderGivesEachAlone(string name)
    {
        Model model = GoldenModel.Read(name).Open();
        ModelConfig config = model.Config;
        LayerConfig layer = config.Layers.First(l => l.Kind == LayerKind.Recurrent);
        int at = config.Layers.ToList().IndexOf(layer), width = config.Recurrent!.LruWidth, d = config.HiddenSize;
        int[] starts = [0, 0, 0, 0, 0, 0, 6, 6, 8, 8, 8, 8], ends = [6, 8, 12];
        int time = starts.Length;
        float[] x = Gradients.Values(new Random(1), time * d), plain = [];
        DecoderRecurrence block = new(config, layer, model.Parameter);
        for (int document = 0; document < ends.Length; document++)
        {
            int start = document == 0 ? 0 : ends[document - 1];
            DecoderState state = new(config, time);
            plain = [.. plain, .. block.Apply(x.AsMemory(start * d, (ends[document] - start) * d), ends[document] - start, state, state.Layers[at])];
        }

        float[] inputs = Projected("recurrent_x", x), gate = Projected("recurrent_y", x);
        float[] convolved = new float[time * width], i = new float[time * width], r = new float[time * width], h = new float[time * width];
        float[] inputGate = Values("recurrence", "input_gate_weight"), recurrenceGate = Values("recurrence", "recurrent_gate_weight");
        fixed (float* px = inputs, pc = convolved, pi = i, pr = r, ph = h, wi = inputGate, wr = recurrenceGate)
        {
            int size = width / config.Recurrent.GateBlocks;
            MatrixView steps = new(pc, time, width), input = new(pi, time, width), recurrence = new(pr, time, width);
            ShortConvolution.Forward(new MatrixView(px, time, width), Values("convolution", "weight"), Values("convolution", "bias"), starts, time, steps);
            BlockDiagonal.Forward(steps, new MatrixView(wi, width, size), Values("recurrence", "input_gate_bias"), input);
            BlockDiagonal.Forward(steps, new MatrixView(wr, width, size), Values("recurrence", "recurrent_gate_bias"), recurrence);
            LinearRecurrence.Forward(steps, input, recurrence, Values("recurrence", "recurrent_param"), starts, time, new MatrixView(ph, time, width));
        }

        Func<double, double> activation = DecoderFeedForward.Function(config.HiddenAct);
        float[] result = Projected("recurrent_out", [.. h.Select((value, n) => (float)(value * activation(gate[n])))]);
        double most = plain.Max(value => Math.Abs(value));
        Assert.All(result.Zip(plain), pair => Assert.Equal(pair.Second, pair.First, 2e-6 * most));

        float[] Projected(string module, float[] values) => new DecoderLinear(model.Parameter, module, layer.Weights, true).Apply(values);

        float[] Values(string module, string kind) => model.Parameter(Parameter.NameOf(module, kind, layer.Weights)).Floats().ToArray();
    }
}
