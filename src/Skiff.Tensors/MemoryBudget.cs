using System.Globalization;

namespace Skiff.Tensors;

/// <summary>What memory this process may take: what was chosen, or what the machine has to give now.</summary>
internal static class MemoryBudget
{
    private const string MemoryInfo = "/proc/meminfo";
    private static long? s_chosen;
    private static string s_source = "";

    /// <summary>Sets it for the whole process.</summary>
    public static void Choose(long bytes, string source) => (s_chosen, s_source) = (bytes, source);

    /// <summary>Refuses before memory is taken what would not fit.</summary>
    /// <param name="need">Bytes.</param>
    /// <param name="file">Who asks, for the message.</param>
    /// <param name="what">What they are for: <c>its weights and the room of a pass</c>.</param>
    /// <exception cref="InvalidInputException">Names the need and the budget.</exception>
    public static void Check(long need, string file, string what)
    {
        long budget = s_chosen ?? Available();
        if (need > budget)
        {
            throw new InvalidInputException(file, "memory", $"{what} take {Size(need)}, and "
                + (s_chosen is null ? $"{Size(budget)} are free" : $"{s_source} allows {Size(budget)}")
                + "; take a smaller type ('skiff quantize --type q4_k_m'), or a smaller model");
        }
    }

    /// <summary>Bytes that can be taken without pushing others out, within the container's limit.</summary>
    public static long Available()
    {
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        // Caches that the system would give back count as free there.
        if (File.Exists(MemoryInfo) && File.ReadLines(MemoryInfo).FirstOrDefault(line => line.StartsWith("MemAvailable:", StringComparison.Ordinal)) is { } line)
            limit = Math.Min(limit, 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], NumberStyles.None, CultureInfo.InvariantCulture));
        return limit;
    }

    private static string Size(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):#,0} MiB");
}
