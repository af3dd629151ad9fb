using System.Diagnostics;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Times prompts and generation as llama-bench does: random tokens, one warm-up, then repetitions, with only the row's own tokens under the
/// clock. Every repetition stands between two measurements of what memory and arithmetic reach at that moment, so that a slow moment of
/// the machine hits both.
/// </summary>
public sealed class ThroughputBenchmark : IDisposable
{
    private readonly Model _model;
    private readonly MachineBandwidth _memory;
    private readonly Func<ThreadTeam, BenchmarkDriver> _prepare;
    private readonly ModelWork _work;
    private ThreadTeam? _team;
    private BenchmarkDriver? _driver;

    /// <summary>A benchmark of one model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="memory">What bandwidth is measured on; stays the caller's. Made before the model is opened, it is no part of any peak of memory reported.</param>
    /// <param name="prepare">Makes what runs the model on a team; by default an engine.</param>
    public ThroughputBenchmark(Model model, MachineBandwidth memory, Func<ThreadTeam, BenchmarkDriver>? prepare = null)
    {
        _model = model;
        _memory = memory;
        _prepare = prepare ?? (team => BenchmarkDriver.Of(model, team));
        _work = new ModelWork(model);
    }

    /// <summary>Bytes of all parameters, shared ones once.</summary>
    public long ModelSize => _work.ModelSize;

    /// <summary>Measures one row.</summary>
    /// <param name="test">The row.</param>
    /// <param name="repetitions">How often, after one warm-up that does not count.</param>
    /// <param name="report">Told after the warm-up and each repetition.</param>
    /// <param name="stop">Ends it between two tokens, or pieces of a prompt.</param>
    /// <exception cref="InvalidInputException">The model has no room for the row, or what runs it cannot honour it.</exception>
    public ThroughputFigures Measure(ThroughputTest test, int repetitions, Action? report = null, CancellationToken stop = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(repetitions, 1);
        test.Check(_model.Config);
        (ThreadTeam team, BenchmarkDriver driver) = Prepare(test.NThreads);
        Random random = new(1);
        int[] tokens = [.. Enumerable.Range(0, test.NDepth + test.Tokens).Select(_ => random.Next(_model.Config.VocabSize))];
        ReadOnlyMemory<int> depth = tokens.AsMemory(0, test.NDepth), timed = tokens.AsMemory(test.NDepth);
        double operations = Operations(test), bytes = Bytes(test, driver);
        List<long> samples = [];
        List<double> firsts = [], bandwidths = [], peaks = [], bandwidthShares = [], peakShares = [];
        DateTimeOffset begun = DateTimeOffset.UtcNow;
        ProcessMemory.ResetPeak();
        for (int round = -1; round < repetitions; round++)
        {
            Seek(driver, depth, test, empty: round < 0, stop);
            double bandwidth = _memory.Measure(team), peak = MachinePeak.Measure(team);
            // Measuring bandwidth has emptied the caches: a token that does not count brings back what they hold between two tokens.
            if (test.NDepth == 0 || driver.Rewind is not null)
            {
                driver.Step(timed[..test.NParallel]);
                Seek(driver, depth, test, empty: false, stop);
            }

            long start = Stopwatch.GetTimestamp();
            if (test.NPrompt > 0)
                Append(driver, 0, timed, test.NBatch, stop);
            else
                Generate(driver, timed, test.NParallel, stop);
            TimeSpan spent = Stopwatch.GetElapsedTime(start);
            if (test.NPrompt > 0)
                driver.Choose();
            TimeSpan first = Stopwatch.GetElapsedTime(start);
            bandwidth = Math.Max(bandwidth, _memory.Measure(team));
            peak = Math.Max(peak, MachinePeak.Measure(team));
            report?.Invoke();
            if (round < 0)
                continue;
            samples.Add((long)spent.TotalNanoseconds);
            firsts.Add(first.TotalSeconds);
            bandwidths.Add(bandwidth);
            peaks.Add(peak);
            bandwidthShares.Add(bytes / spent.TotalSeconds / bandwidth);
            peakShares.Add(operations / spent.TotalSeconds / peak);
        }

        return new ThroughputFigures
        {
            Test = test,
            TestTime = begun,
            SamplesNs = samples,
            TypeK = driver.TypeK,
            TypeV = driver.TypeV,
            TimeToFirstToken = test.NPrompt > 0 ? ThroughputFigures.Mean(firsts) : null,
            PeakRssBytes = ProcessMemory.Peak - _memory.Bytes,
            KvBytesPerToken = driver.KvBytesPerToken,
            ShareOfBandwidth = test.NGen > 0 ? ThroughputFigures.Mean(bandwidthShares) : null,
            ShareOfPeak = ThroughputFigures.Mean(peakShares),
            BandwidthGbps = ThroughputFigures.Mean(bandwidths) / 1e9,
            PeakGflops = ThroughputFigures.Mean(peaks) / 1e9,
        };
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose() => _team?.Dispose();

    /// <summary>Operations of a row: a prompt has logits at its end alone.</summary>
    internal double Operations(ThroughputTest test) => test.Tokens * _work.OperationsPerToken + (test.NPrompt > 0 ? 1 : test.Tokens) * _work.HeadOperations;

    /// <summary>Bytes that generation reads at least: weights once a pass (of experts, those of one token), and each sequence's cache.</summary>
    internal double Bytes(ThroughputTest test, BenchmarkDriver driver)
    {
        double bytes = test.NGen * _work.BytesPerToken;
        for (int n = 0; n < test.NGen; n++)
            bytes += test.NParallel * _work.CachedPositions((long)test.NDepth + n) * driver.KvBytesPerToken;
        return bytes;
    }

    // The former one goes before the next is made: two would hold the weights twice.
    private (ThreadTeam Team, BenchmarkDriver Driver) Prepare(int threads)
    {
        if (_team?.Threads == threads && _driver is not null)
            return (_team, _driver);
        _driver = null;
        _team?.Dispose();
        _team = new ThreadTeam(threads);
        return (_team, _driver = _prepare(_team));
    }

    // Leaves just the tokens in the caches that the clock does not see.
    private static void Seek(BenchmarkDriver driver, ReadOnlyMemory<int> depth, ThroughputTest test, bool empty, CancellationToken stop)
    {
        if (!empty && driver.Rewind is { } rewind && depth.Length > 0)
        {
            rewind(depth.Length);
            return;
        }

        driver.Begin(test.NParallel, checked((int)test.Positions));
        for (int sequence = 0; sequence < test.NParallel; sequence++)
            Append(driver, sequence, depth, test.NBatch, stop);
    }

    private static void Append(BenchmarkDriver driver, int sequence, ReadOnlyMemory<int> tokens, int piece, CancellationToken stop)
    {
        for (int at = 0; at < tokens.Length; at += piece)
        {
            stop.ThrowIfCancellationRequested();
            driver.Append(sequence, tokens.Slice(at, Math.Min(piece, tokens.Length - at)));
        }
    }

    private static void Generate(BenchmarkDriver driver, ReadOnlyMemory<int> tokens, int sequences, CancellationToken stop)
    {
        for (int at = 0; at < tokens.Length; at += sequences)
        {
            stop.ThrowIfCancellationRequested();
            driver.Step(tokens.Slice(at, sequences));
        }
    }
}
