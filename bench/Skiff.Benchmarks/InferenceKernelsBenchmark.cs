using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>
/// Products of inference with packed weights: few rows over a gigabyte of weights against plain reading, 512 rows on the shapes of a
/// 1B model against the arithmetic peak. Each measurement stands between two of its limit.
/// </summary>
internal static unsafe class InferenceKernelsBenchmark
{
    private const int Rounds = 7;
    private const long PeakSteps = 1 << 21;
    private const long Gigabyte = 1 << 30;
    private const int Inputs = 2048, Outputs = 8192, PrefillRows = 512;

    private static readonly TensorType[] s_types =
    [
        TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1,
        TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K,
    ];

    private static readonly (int Outputs, int Inputs)[] s_shapes = [(2048, 2048), (8192, 2048), (2048, 8192)];

    public static void Run()
    {
        ThreadTeam team = ThreadTeam.Default;
        TensorType[] types = Environment.GetEnvironmentVariable("SKIFF_BENCH_TYPES") is { Length: > 0 } names
            ? [.. names.Split(',').Select(name => Enum.Parse<TensorType>(name, ignoreCase: true))]
            : s_types;
        Console.WriteLine($"Threads: {team.Threads}; medians of {Rounds} rounds.");
        Console.WriteLine();
        Decode(team, types);
        Console.WriteLine();
        Prefill(team, types);
        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    private static void Decode(ThreadTeam team, TensorType[] types)
    {
        Tensor plain = Tensor.Allocate(TensorType.F32, Gigabyte / 4);
        Action<int> read = part => Read(plain, part);
        double Bandwidth() => Rate(Gigabyte, () => team.Run(ReadParts, read));
        Console.WriteLine("| type | layout, GB/s | 1 row, GB/s | read beside it, GB/s | share | 4 rows, GB/s | 16 rows, GB/s |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (TensorType type in types)
        {
            Tensor weight = Filled(type, Outputs, Inputs);
            PackedMatrix[] matrices = new PackedMatrix[(int)(Gigabyte / weight.ByteLength)];
            double bytes = weight.ByteLength * matrices.Length, layout = Rate(bytes, () =>
            {
                for (int i = 0; i < matrices.Length; i++)
                    matrices[i] = PackedMatrix.Pack(weight, team);
            });
            int[] counts = [1, 4, 16];
            List<double>[] rates = [[], [], []];
            List<double> reads = [], shares = [];
            for (int round = -1; round < Rounds; round++)
            {
                double before = Bandwidth(), one = 0;
                for (int i = 0; i < counts.Length; i++)
                {
                    double rate = Rate(bytes, Pass(matrices, Filled(TensorType.F32, counts[i], Inputs), team));
                    one = i == 0 ? rate : one;
                    if (round >= 0)
                        rates[i].Add(rate);
                    if (i > 0)
                        continue;
                    double limit = Math.Max(before, Bandwidth());
                    if (round >= 0)
                    {
                        reads.Add(limit);
                        shares.Add(one / limit);
                    }
                }
            }

            Console.WriteLine($"| {type} | {layout / 1e9:0.0} | {Bench.Median(rates[0]) / 1e9:0.0} | {Bench.Median(reads) / 1e9:0.0} | {Bench.Median(shares):0%} | {Bench.Median(rates[1]) / 1e9:0.0} | {Bench.Median(rates[2]) / 1e9:0.0} |");
        }
    }

    private static Action Pass(PackedMatrix[] matrices, Tensor x, ThreadTeam team)
    {
        Tensor y = Tensor.Allocate(TensorType.F32, x.Rows, Outputs);
        Activations activations = new();
        return () =>
        {
            activations.Set(MatrixView.Of(x), team);
            foreach (PackedMatrix matrix in matrices)
                matrix.Multiply(activations, MatrixView.Of(y), team);
            GC.KeepAlive(x);
        };
    }

    private static void Prefill(ThreadTeam team, TensorType[] types)
    {
        Action<int> fma = _ => MachinePeak.Run(PeakSteps), vnni = _ => VnniPeak.Run(PeakSteps);
        double Fma() => Rate(MachinePeak.Operations(PeakSteps) * team.Threads, () => team.Run(team.Threads, fma));
        double Vnni() => AvxVnni.IsSupported ? Rate(VnniPeak.Operations(PeakSteps) * team.Threads, () => team.Run(team.Threads, vnni)) : Fma();
        Console.WriteLine($"| type | {string.Join(" | ", s_shapes.Select(shape => $"{shape.Inputs} to {shape.Outputs}, GOP/s | share"))} | peak, GOP/s |");
        Console.WriteLine($"| --- |{string.Concat(Enumerable.Repeat(" ---: | ---: |", s_shapes.Length))} ---: |");
        foreach (TensorType type in types)
        {
            List<double> peaks = [];
            string line = $"| {type} |";
            foreach ((int outputs, int inputs) in s_shapes)
            {
                PackedMatrix[] matrices = [PackedMatrix.Pack(Filled(type, outputs, inputs), team)];
                Tensor x = Filled(TensorType.F32, PrefillRows, inputs), y = Tensor.Allocate(TensorType.F32, PrefillRows, outputs);
                Activations activations = new();
                List<double> rates = [], shares = [];
                for (int round = -1; round < Rounds; round++)
                {
                    double before = type.IsQuantized() ? Vnni() : Fma();
                    double rate = Rate(2.0 * PrefillRows * outputs * inputs, () =>
                    {
                        activations.Set(MatrixView.Of(x), team);
                        matrices[0].Multiply(activations, MatrixView.Of(y), team);
                        GC.KeepAlive(x);
                    });
                    double limit = Math.Max(before, type.IsQuantized() ? Vnni() : Fma());
                    if (round < 0)
                        continue;
                    rates.Add(rate);
                    shares.Add(rate / limit);
                    peaks.Add(limit);
                }

                line += $" {Bench.Median(rates) / 1e9:0} | {Bench.Median(shares):0%} |";
            }

            Console.WriteLine($"{line} {Bench.Median(peaks) / 1e9:0} |");
        }
    }

    private const int ReadParts = 64;

    // Four streams within a part.
    private static void Read(Tensor tensor, int part)
    {
        // The parts of two threads lie far apart.
        long bytes = Gigabyte / ReadParts, stream = bytes / 4;
        byte* from = tensor.Data + (part % 2 * (ReadParts / 2) + part / 2) * bytes;
        Vector512<int> a = default, b = default, c = default, d = default;
        for (long i = 0; i < stream; i += 64)
        {
            a ^= Vector512.Load((int*)(from + i));
            b ^= Vector512.Load((int*)(from + stream + i));
            c ^= Vector512.Load((int*)(from + 2 * stream + i));
            d ^= Vector512.Load((int*)(from + 3 * stream + i));
        }

        if ((a ^ b ^ c ^ d) != Vector512<int>.Zero)
            throw new InvalidOperationException("the memory is not as it was filled");
    }

    private static Tensor Filled(TensorType type, int rows, int columns)
    {
        Random random = new(rows + columns);
        Tensor tensor = Tensor.Allocate(type, rows, columns);
        float[] row = new float[columns];
        // Times do not depend on the values: 64 different rows, for some types quantize slowly.
        for (int i = 0; i < rows; i++)
        {
            if (i < 64)
            {
                for (int k = 0; k < columns; k++)
                    row[k] = (float)random.NextDouble() - 0.5f;
                tensor.WriteRow(i, row);
            }
            else
            {
                tensor.RowBytes(i % 64).CopyTo(tensor.MutableRowBytes(i));
            }
        }

        return tensor;
    }

    private static double Rate(double work, Action action)
    {
        double start = Bench.Seconds();
        action();
        return work / (Bench.Seconds() - start);
    }
}
