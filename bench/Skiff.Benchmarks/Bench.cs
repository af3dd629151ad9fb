using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>Interleaved timing, so that a slow moment of the machine hits all sides alike, and the tables' common parts.</summary>
internal static unsafe class Bench
{
    /// <summary>The repository's folder.</summary>
    public static string Repository()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Skiff.slnx")))
            at = at.Parent;
        return at?.FullName ?? throw new InvalidInputException(AppContext.BaseDirectory, "folder", "does not lie in the repository");
    }

    /// <summary>A file of the shared data: <c>SKIFF_DATA</c>, or <c>../shared/data</c> beside the repository.</summary>
    public static string DataFile(params string[] parts)
    {
        string folder = Environment.GetEnvironmentVariable("SKIFF_DATA") ?? Path.GetFullPath(Path.Combine(Repository(), "..", "shared", "data"));
        string path = Path.Combine([folder, .. parts]);
        return File.Exists(path) ? path : throw new InvalidInputException(path, "file", "not found: set SKIFF_DATA to the data folder");
    }

    /// <summary>
    /// Seconds on a clock to measure kernels by: with one thread (<c>SKIFF_THREADS=1</c>) on Linux, the seconds that this thread had a
    /// processor, so that other processes do not count; else those of the wall.
    /// </summary>
    public static double Seconds()
    {
        if (ThreadTeam.Default.Threads > 1 || !OperatingSystem.IsLinux())
            return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        const int ThreadTime = 3;
        long* time = stackalloc long[2];
        return ReadClock(ThreadTime, time) == 0 ? time[0] + time[1] * 1e-9 : throw new PlatformNotSupportedException("no clock for a thread's time");
    }

    [DllImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ReadClock(int clock, long* time);

    /// <summary>Seconds of each side in each round, after one warming round; sides take turns within a round.</summary>
    public static double[][] Interleave(int rounds, params Action[] sides) => Interleave(rounds, () => Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency, sides);

    /// <summary>The same on another clock.</summary>
    public static double[][] Interleave(int rounds, Func<double> clock, params Action[] sides)
    {
        double[][] seconds = [.. sides.Select(_ => new double[rounds])];
        for (int round = -1; round < rounds; round++)
        {
            for (int side = 0; side < sides.Length; side++)
            {
                // What the other side left behind is not this side's to clear away.
                GC.Collect();
                GC.WaitForPendingFinalizers();
                double start = clock();
                sides[side]();
                double spent = clock() - start;
                if (round >= 0)
                    seconds[side][round] = spent;
            }
        }

        return seconds;
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    /// <summary>The machine, for the line under a table.</summary>
    public static string Machine()
    {
        string? processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        string vectors = System.Runtime.Intrinsics.X86.Avx512F.IsSupported ? ", AVX-512" : System.Runtime.Intrinsics.X86.Avx2.IsSupported ? ", AVX2" : "";
        return $"{processor ?? "unknown processor"}{vectors}, {Environment.ProcessorCount} logical processors, .NET {Environment.Version}, {DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}";
    }

    public static string Format(double value, string format = "0.00") => value.ToString(format, CultureInfo.InvariantCulture);
}
