using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>
/// Attention forward and backward as a share of the FMA peak measured beside it. Only products of pairs that the rule shows count
/// as work: 4 K operations a pair forward, 10 K backward with the scores made again.
/// </summary>
internal static unsafe class AttentionBenchmark
{
    // B batch, T time, H heads, K head size
    private const int Rounds = 41;
    private const int Width = 256;
    private const int Tokens = 4096;
    private const long PeakSteps = 1 << 21;

    public static void Run()
    {
        ThreadTeam team = ThreadTeam.Default;
        Action<int> peakPart = _ => MachinePeak.Run(PeakSteps);
        List<Side> sides = [];
        foreach (int headDim in new[] { 32, 64 })
        {
            foreach (int time in new[] { 256, 1024, 2048 })
            {
                Add(sides, team, time, headDim, "causal", new VisibilityRule(), time);
                Add(sides, team, time, headDim, "four documents", new VisibilityRule(), time / 4);
                Add(sides, team, time, headDim, "anchor every 16", new VisibilityRule { Segments = true }, 16);
            }
        }

        double peakWork = MachinePeak.Operations(PeakSteps) * team.Threads;
        double[][] seconds = Bench.Interleave(Rounds, Bench.Seconds, [() => team.Run(team.Threads, peakPart), .. sides.SelectMany(side => new[] { side.Forward, side.Backward })]);
        double peak = peakWork / seconds[0].Min();
        Console.WriteLine($"FMA peak, threads: {team.Threads}, {peak / 1e9:0} GFLOP/s (median {peakWork / Bench.Median(seconds[0]) / 1e9:0}); {Tokens} tokens of width {Width}; best of {Rounds} interleaved rounds.");
        Console.WriteLine();
        Console.WriteLine("| T | K | rule | pairs hidden of causal | forward, ms | of causal | share of peak | backward, ms | of causal | share of peak |");
        Console.WriteLine("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (int i = 0; i < sides.Count; i++)
        {
            Side side = sides[i], causal = sides[i / 3 * 3];
            double forward = seconds[1 + 2 * i].Min(), backward = seconds[2 + 2 * i].Min();
            double forwardCausal = seconds[1 + 2 * (i / 3 * 3)].Min(), backwardCausal = seconds[2 + 2 * (i / 3 * 3)].Min();
            Console.WriteLine(
                $"| {side.Time} | {side.HeadDim} | {side.Name} | {1 - side.Pairs / causal.Pairs:0%} | {forward * 1e3:0.00} | {forward / forwardCausal:0%} | {4 * side.HeadDim * side.Pairs / forward / peak:0%} "
                + $"| {backward * 1e3:0.00} | {backward / backwardCausal:0%} | {10 * side.HeadDim * side.Pairs / backward / peak:0%} |");
        }

        Console.WriteLine();
        Console.WriteLine(Bench.Machine());
    }

    // Segments or documents of so many positions.
    private static void Add(List<Side> sides, ThreadTeam team, int time, int headDim, string name, VisibilityRule rule, int length)
    {
        int batch = Tokens / time, heads = Width / headDim;
        Visibility visibility = new(time);
        visibility.Set(
            rule, time, rule.Segments ? [] : [.. Enumerable.Range(0, time).Select(i => i / length)],
            rule.Segments ? [.. Enumerable.Range(0, time).Select(i => i % length == length - 1)] : []);
        double pairs = Enumerable.Range(0, time).Sum(i => (double)Enumerable.Range(0, i + 1).Count(j => visibility.Sees(i, j))) * batch * heads;
        Tensor data = Tensor.Allocate(TensorType.F32, 8, Tokens * Width);
        Random random = new(time);
        foreach (ref float value in data.Floats())
            value = (float)random.NextDouble() - 0.5f;
        HeadsView[] views = [.. Enumerable.Range(0, 8).Select(i => new HeadsView((float*)data.Data + (long)i * Tokens * Width, batch, time, heads, headDim))];
        float[] sums = new float[batch * heads * time];
        Visibility[] visible = [visibility];
        AttentionSettings settings = new() { Scale = 1 / MathF.Sqrt(headDim) };
        sides.Add(new Side(name, time, headDim, pairs,
            () => Attention.Forward(views[0], views[1], views[2], views[3], sums, settings, visible, team: team),
            () =>
            {
                Attention.Backward(views[0], views[1], views[2], views[3], sums, views[4], views[5], views[6], views[7], settings, visible, team: team);
                GC.KeepAlive(data);
            }));
    }

    private sealed record Side(string Name, int Time, int HeadDim, double Pairs, Action Forward, Action Backward);
}
