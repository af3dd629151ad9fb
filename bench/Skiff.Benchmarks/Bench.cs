using System.Diagnostics;
using System.Globalization;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>Interleaved timing, so that a slow moment of the machine hits all sides alike, and the tables' common parts.</summary>
internal static class Bench
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

    /// <summary>Seconds of each side in each round, after one warming round; sides take turns within a round.</summary>
    public static double[][] Interleave(int rounds, params Action[] sides)
    {
        double[][] seconds = [.. sides.Select(_ => new double[rounds])];
        for (int round = -1; round < rounds; round++)
        {
            for (int side = 0; side < sides.Length; side++)
            {
                // What the other side left behind is not this side's to clear away.
                GC.Collect();
                GC.WaitForPendingFinalizers();
                long start = Stopwatch.GetTimestamp();
                sides[side]();
                double spent = Stopwatch.GetElapsedTime(start).TotalSeconds;
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
