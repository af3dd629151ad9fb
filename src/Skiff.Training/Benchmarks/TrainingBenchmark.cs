// N parameters; a step is 6 N tokens operations, attention not counted
using System.Diagnostics;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>What a matrix product reached.</summary>
/// <param name="Layer">Where it occurs.</param>
/// <param name="Product"><c>forward</c> (y = x W^T), <c>input_gradient</c> (dx = dy W) or <c>weight_gradient</c> (dW += dy^T x).</param>
/// <param name="Rows">Tokens.</param>
/// <param name="Inputs">Columns of W.</param>
/// <param name="Outputs">Rows of W.</param>
/// <param name="Gflops">Median, 10^9 operations a second.</param>
/// <param name="Share">Median share of the peak measured right before and after.</param>
public sealed record ProductFigures(string Layer, string Product, int Rows, int Inputs, int Outputs, double Gflops, double Share);

/// <summary>What whole training steps reached.</summary>
/// <param name="Name">The model.</param>
/// <param name="Params">N, all parameters.</param>
/// <param name="TokensPerSecond">Median.</param>
/// <param name="Gflops6N">6 N tokens a second, 10^9.</param>
/// <param name="ShareOfPeak">Median share of the peak measured right before and after.</param>
/// <param name="PeakRssMb">The most memory the process held during these steps, 10^6 bytes.</param>
public sealed record StepFigures(string Name, long Params, double TokensPerSecond, double Gflops6N, double ShareOfPeak, double PeakRssMb);

/// <summary>
/// Training measured against the machine's own limit in the same run: every measurement stands between two of the peak and is divided
/// by the better of them, so that a slow moment of the machine hits both.
/// </summary>
public static class TrainingBenchmark
{
    private const int Vocabulary = 4096, Time = 256;

    /// <summary>Models that steps are measured on: 8 Llama blocks, feed-forward 3.5 widths, heads of 64, a vocabulary of 4,096, not tied.</summary>
    public static IReadOnlyList<int> Widths { get; } = [256, 512];

    /// <summary>Steps of one model.</summary>
    /// <param name="width">D.</param>
    /// <param name="batch">Sequences of 256 tokens in a step.</param>
    /// <param name="rounds">Measured steps.</param>
    /// <param name="peaks">Takes the peaks measured, operations a second.</param>
    /// <param name="report">Told after each step.</param>
    public static StepFigures Steps(int width, int batch, int rounds, ICollection<double> peaks, Action<int>? report = null)
    {
        ModelConfig config = Llama(width);
        TrainingParameters parameters = new(ParameterList.Of(config), _ => true);
        RecipeParametrization standard = new();
        new Parametrization(standard, config).Initialize(parameters, 0);
        Optimizer optimizer = new(parameters, p => new ParameterRate(1, p.Shape.Length > 1 ? 0.1 : 0, false), new AdamWSettings(), new MuonSettings());
        int rows = MicroBatch.Rows(batch, Time);
        DecoderTape tape = new(config, parameters, new DecoderTapeOptions { Batch = rows, Time = Time });
        TrainingStep step = new(parameters, optimizer, clip: 1);
        int tokens = batch * Time;
        Random random = new(1);
        int[] ids = new int[tokens], targets = new int[tokens], starts = new int[tokens];
        List<double> rates = [], shares = [];
        ProcessMemory.ResetPeak();
        for (int round = -1; round < rounds; round++)
        {
            for (int n = 0; n < tokens; n++)
                (ids[n], targets[n]) = (random.Next(Vocabulary), random.Next(Vocabulary));
            double before = MachinePeak.Measure();
            long start = Stopwatch.GetTimestamp();
            step.Run(tape, ids, targets, starts, 1e-3, round + 2);
            double rate = tokens / Stopwatch.GetElapsedTime(start).TotalSeconds, after = MachinePeak.Measure();
            report?.Invoke(round + 1);
            if (round < 0)
                continue;
            peaks.Add(before);
            peaks.Add(after);
            rates.Add(rate);
            shares.Add(6 * config.ParameterCount * rate / Math.Max(before, after));
        }

        double median = Median(rates);
        return new StepFigures($"llama, width {width}", config.ParameterCount, median, 6e-9 * config.ParameterCount * median, Median(shares), ProcessMemory.Peak / 1e6);
    }

    /// <summary>The products of one model's step, at the tokens of its passes.</summary>
    /// <param name="width">D.</param>
    /// <param name="batch">Sequences of 256 tokens in a step.</param>
    /// <param name="rounds">Measurements of each.</param>
    /// <param name="peaks">Takes the peaks measured, operations a second.</param>
    /// <param name="report">Told after each layer.</param>
    public static IReadOnlyList<ProductFigures> Products(int width, int batch, int rounds, ICollection<double> peaks, Action<int>? report = null)
    {
        ModelConfig config = Llama(width);
        int inner = config.Layers[0].IntermediateSize, rows = MicroBatch.Rows(batch, Time) * Time;
        (string Name, int In, int Out)[] layers =
        [
            ("query, key, value", width, 3 * width), ("attention output", width, width), ("gate, up", width, 2 * inner), ("down", inner, width), ("head", width, Vocabulary),
        ];
        List<ProductFigures> figures = [];
        foreach ((string name, int inputs, int outputs) in layers)
        {
            report?.Invoke(figures.Count / 3);
            Tensor x = Filled(rows, inputs), w = Filled(outputs, inputs), y = Filled(rows, outputs);
            MatrixView input = MatrixView.Of(x), weight = MatrixView.Of(w), output = MatrixView.Of(y);
            Measure("forward", () => MatrixProduct.Multiply(input, weight.Transposed, output));
            Measure("input_gradient", () => MatrixProduct.Multiply(output, weight, input));
            Measure("weight_gradient", () => MatrixProduct.Multiply(output.Transposed, input, weight));
            GC.KeepAlive((x, w, y));

            void Measure(string product, Action action)
            {
                double work = 2.0 * rows * inputs * outputs;
                // Small products several times over: as long as the peak beside them.
                int times = (int)Math.Max(1, Math.Ceiling(5e9 / work));
                List<double> rates = [], shares = [];
                for (int round = -1; round < rounds; round++)
                {
                    double before = MachinePeak.Measure();
                    long start = Stopwatch.GetTimestamp();
                    for (int i = 0; i < times; i++)
                        action();
                    double rate = work * times / Stopwatch.GetElapsedTime(start).TotalSeconds, after = MachinePeak.Measure();
                    if (round < 0)
                        continue;
                    peaks.Add(before);
                    peaks.Add(after);
                    rates.Add(rate);
                    shares.Add(rate / Math.Max(before, after));
                }

                figures.Add(new ProductFigures($"width {width}, {name}", product, rows, inputs, outputs, Median(rates) / 1e9, Median(shares)));
            }
        }

        return figures;
    }

    private static ModelConfig Llama(int width) => ModelConfig.Parse(
        System.Text.Encoding.UTF8.GetBytes($$"""
            {"model_type": "llama", "vocab_size": {{Vocabulary}}, "hidden_size": {{width}}, "intermediate_size": {{7 * width / 2}}, "num_hidden_layers": 8,
             "num_attention_heads": {{width / 64}}, "max_position_embeddings": {{Time}}, "rms_norm_eps": 1e-5, "tie_word_embeddings": false}
            """),
        "benchmark");

    private static Tensor Filled(int rows, int columns)
    {
        Tensor tensor = Tensor.Allocate(TensorType.F32, rows, columns);
        Random random = new(rows + columns);
        foreach (ref float value in tensor.Floats())
            value = (float)random.NextDouble() - 0.5f;
        return tensor;
    }

    private static double Median(List<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }
}
