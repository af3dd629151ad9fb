using System.Numerics;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>
/// Shares of the machine's own limits, measured in turns: matrix products of training against fused multiply-adds in registers,
/// and the AdamW step against a pass over the same memory that does no arithmetic to speak of.
/// </summary>
internal static unsafe class GemmBenchmark
{
    private const int Rounds = 21;
    private const long PeakSteps = 1 << 21;

    // Parameters of the 9.7M model.
    private const int Parameters = 9_700_000;

    // The layers of models of width 256 and 512, with projections of the same input joined.
    private static readonly (string Name, int In, int Out)[] s_layers =
    [
        ("width 256, query, key and value", 256, 768),
        ("width 256, attention's result", 256, 256),
        ("width 256, gate and up", 256, 1792),
        ("width 256, down", 896, 256),
        ("width 256, head", 256, 4096),
        ("width 512, query, key and value", 512, 1536),
        ("width 512, attention's result", 512, 512),
        ("width 512, gate and up", 512, 2816),
        ("width 512, down", 1408, 512),
        ("width 512, head", 512, 4096),
    ];

    public static void Run()
    {
        ThreadTeam team = ThreadTeam.Default;
        Action<int> peakPart = _ => MachinePeak.Run(PeakSteps);
        List<Side> sides = [new("FMA peak, 1 thread", MachinePeak.Operations(PeakSteps), () => MachinePeak.Run(PeakSteps))];
        foreach (int rows in new[] { 2048, 8192 })
        {
            foreach ((string name, int inputs, int outputs) in s_layers)
                AddLayer(sides, team, $"{rows} rows, {name}", rows, inputs, outputs);
        }

        foreach (int rows in new[] { 1, 4, 16, 64, 256 })
            AddLayer(sides, team, $"{rows} rows, width 512, feed-forward in", rows, 512, 1408);
        foreach (int width in new[] { 256, 512 })
            AddLoss(sides, team, 2048, width, 4096);
        Side memory = AddOptimizer(sides, team);
        AddSilu(sides, team, memory, 2048, 896);

        double peakWork = MachinePeak.Operations(PeakSteps) * team.Threads;
        List<double> peaks = [], bounds = [];
        for (int round = -1; round < Rounds; round++)
        {
            foreach (Side side in sides)
            {
                // Each measurement stands between two of its limit, so that the machine's moods hit both.
                bool moves = side.Limit is not null;
                double before = moves ? memory.Rate() : RateOf(peakWork, () => team.Run(team.Threads, peakPart));
                double rate = side.Rate();
                double after = moves ? memory.Rate() : RateOf(peakWork, () => team.Run(team.Threads, peakPart));
                if (round < 0)
                    continue;
                (moves ? bounds : peaks).AddRange([before, after]);
                side.Rates.Add(rate);
                side.Shares.Add(rate / Math.Max(before, after));
            }
        }

        double peak = peaks.Max(), bound = bounds.Max();
        Console.WriteLine($"FMA peak, threads: {team.Threads}, {peak / 1e9:0} GFLOP/s (median {Bench.Median([.. peaks]) / 1e9:0}); memory bound {bound / 1e9:0.0} GB/s (median {Bench.Median([.. bounds]) / 1e9:0.0}); {Rounds} interleaved rounds.");
        Console.WriteLine();
        Console.WriteLine("| what | best | median | best / best limit | median share of the limit beside it |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        foreach (Side side in sides)
        {
            double best = side.Rates.Max(), limit = side.Limit is null ? peak : bound;
            Console.WriteLine($"| {side.Name} | {best / 1e9:0.0} | {Bench.Median([.. side.Rates]) / 1e9:0.0} | {best / limit:0%} | {Bench.Median([.. side.Shares]):0%} |");
        }

        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    private static void AddLayer(List<Side> sides, ThreadTeam team, string name, int rows, int inputs, int outputs)
    {
        Tensor x = Filled(rows, inputs), w = Filled(outputs, inputs), y = Filled(rows, outputs);
        Tensor dx = Filled(rows, inputs), dw = Filled(outputs, inputs);
        MatrixView input = MatrixView.Of(x), weight = MatrixView.Of(w), output = MatrixView.Of(y);
        double work = 2.0 * rows * inputs * outputs;
        string shape = $"{name} ({inputs} to {outputs})";
        sides.Add(new Side($"{shape}: y = x W^T", work, () => MatrixProduct.Multiply(input, weight.Transposed, output, team: team)));
        sides.Add(new Side($"{shape}: dx = dy W", work, () => { MatrixProduct.Multiply(output, weight, MatrixView.Of(dx), team: team); GC.KeepAlive(y); }));
        // The tensors live as long as this closure does.
        sides.Add(new Side($"{shape}: dW += dy^T x", work, () =>
        {
            MatrixProduct.Multiply(output.Transposed, input, MatrixView.Of(dw), accumulate: true, team: team);
            GC.KeepAlive(x);
            GC.KeepAlive(w);
        }));
    }

    private static void AddLoss(List<Side> sides, ThreadTeam team, int rows, int width, int vocabulary)
    {
        Tensor hidden = Filled(rows, width), head = Filled(vocabulary, width), dHidden = Filled(rows, width), dHead = Filled(vocabulary, width);
        Tensor room = Tensor.Allocate(TensorType.F32, LinearCrossEntropy.ScratchLength(rows, vocabulary));
        int[] targets = [.. Enumerable.Range(0, rows).Select(i => i * 7 % vocabulary)];
        sides.Add(new Side($"{rows} rows, width {width}, head of {vocabulary} with its loss and gradients", 6.0 * rows * width * vocabulary, () => LinearCrossEntropy.Compute(
            MatrixView.Of(hidden), MatrixView.Of(head), targets, 1, 0, 1e-3f, MatrixView.Of(dHidden), MatrixView.Of(dHead), [], room.Floats(), team)));
    }

    // Bytes read and written; gate and up lie side by side, as one projection leaves them.
    private static void AddSilu(List<Side> sides, ThreadTeam team, Side memory, int rows, int width)
    {
        Tensor joined = Filled(rows, 2 * width), dJoined = Filled(rows, 2 * width), h = Filled(rows, width);
        MatrixView Half(Tensor tensor, int half) => MatrixView.Of(tensor).Block(0, rows, half * width, width);
        sides.Add(new Side($"{rows} rows, SiLU times up, {width} wide, GB/s", 12.0 * rows * width, () => FeedForwardActivation.Forward(Activation.Silu, Half(joined, 0), Half(joined, 1), MatrixView.Of(h), team)) { Limit = memory });
        sides.Add(new Side("its gradients, GB/s", 20.0 * rows * width, () => FeedForwardActivation.Backward(Activation.Silu, MatrixView.Of(h), Half(joined, 0), Half(joined, 1), Half(dJoined, 0), Half(dJoined, 1), team)) { Limit = memory });
    }

    private static Side AddOptimizer(List<Side> sides, ThreadTeam team)
    {
        Tensor p = Filled(1, Parameters), g = Filled(1, Parameters), m = Filled(1, Parameters), v = Tensor.Allocate(TensorType.F32, Parameters);
        AdamWSettings settings = new();
        const int Share = 1 << 15;
        Action<int> touch = part =>
        {
            int start = part * Share, end = Math.Min(Parameters, start + Share) - Vector<float>.Count;
            float* a = (float*)p.Data, b = (float*)g.Data, c = (float*)m.Data, d = (float*)v.Data;
            for (int i = start; i <= end; i += Vector<float>.Count)
            {
                Vector<float> value = Vector.Load(b + i) * 1e-9f;
                (Vector.Load(a + i) + value).Store(a + i);
                (Vector.Load(c + i) + value).Store(c + i);
                (Vector.Load(d + i) + value * value).Store(d + i);
            }
        };
        Side memory = new("memory: four streams in, three out", 28.0 * Parameters, () => team.Run((Parameters + Share - 1) / Share, touch));
        sides.Add(new Side("AdamW, 9.7M parameters, GB/s", 28.0 * Parameters, () => AdamWStep.Apply(p.Floats(), g.Floats(), m.Floats(), v.Floats(), settings, 1e-6, 10, 1, team)) { Limit = memory });
        return memory;
    }

    private static Tensor Filled(int rows, int columns)
    {
        Tensor tensor = Tensor.Allocate(TensorType.F32, rows, columns);
        Random random = new(rows + columns);
        foreach (ref float value in tensor.Floats())
            value = (float)random.NextDouble() - 0.5f;
        return tensor;
    }

    private static double RateOf(double work, Action action)
    {
        double start = Bench.Seconds();
        action();
        return work / (Bench.Seconds() - start);
    }

    private sealed record Side(string Name, double Work, Action Action)
    {
        public Side? Limit { get; init; }

        public List<double> Rates { get; } = [];

        public List<double> Shares { get; } = [];

        // Short products are repeated to some milliseconds.
        public double Rate()
        {
            int repeats = Math.Max(1, (int)(1e9 / Work));
            repeats = Math.Min(repeats, 200);
            return RateOf(Work * repeats, () =>
            {
                for (int i = 0; i < repeats; i++)
                    Action();
            });
        }
    }
}
