namespace Skiff.Training;

/// <summary>
/// Reads a run's <c>metrics.jsonl</c> while it grows. Only whole lines are taken: a last line that is cut short waits until
/// it is whole. A file that was cut back or replaced is noticed, even where it has grown again, and read from its beginning.
/// A read takes 1 MiB of the file at most. Used by one thread.
/// </summary>
public sealed class MetricsReader(string path)
{
    /// <summary>The file's name in a run folder.</summary>
    public const string FileName = "metrics.jsonl";

    // Enough to hold the clock of the last line, which no other line shares.
    private const int Remembered = 256;

    private byte[] _before = [];
    private bool _skipping;

    /// <summary>Where in the file the next line begins, in bytes.</summary>
    public long Offset { get; private set; }

    /// <summary>Lines since the file's beginning that are no metrics: not JSON, without a step, or too long.</summary>
    public long Junk { get; private set; }

    /// <summary>The longest line that is taken, in bytes; less than <see cref="BlockSize"/>.</summary>
    internal int LongestLine { get; init; } = 1 << 18;

    /// <summary>Bytes a read takes at most, apart from those that are read again to recognise the file.</summary>
    internal int BlockSize { get; init; } = 1 << 20;

    /// <summary>The whole lines that came since the last read. A file that is not there is an empty one.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public MetricsBatch Read()
    {
        bool startedOver = false;
        byte[] block = ReadBlock(out bool hasMore);
        if (!block.AsSpan().StartsWith(_before))
        {
            startedOver = true;
            (Offset, Junk, _before, _skipping) = (0, 0, [], false);
            block = ReadBlock(out hasMore);
        }

        List<MetricsLine> lines = [];
        int at = _before.Length;
        while (block.AsSpan(at).IndexOf((byte)'\n') is var length and >= 0)
        {
            Take(block.AsSpan(at, length), lines);
            at += length + 1;
        }

        if (_skipping || block.Length - at > LongestLine)
        {
            // The rest of a line that is too long is passed over as it comes, and counted where it begins.
            Junk += _skipping ? 0 : 1;
            _skipping = true;
            at = block.Length;
        }

        Offset += at - _before.Length;
        _before = block[Math.Max(0, at - Remembered)..at];
        return new MetricsBatch(lines, startedOver, hasMore);
    }

    private void Take(ReadOnlySpan<byte> line, List<MetricsLine> lines)
    {
        if (_skipping)
            _skipping = false;
        else if (line.Length <= LongestLine && MetricsLine.TryParse(line) is { } parsed)
            lines.Add(parsed);
        else if (line.ContainsAnyExcept(" \t\r"u8))
            Junk++;
    }

    // What was read last, to see whether it is still there, and what lies behind it, in one go.
    private byte[] ReadBlock(out bool hasMore)
    {
        hasMore = false;
        try
        {
            using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            long from = Offset - _before.Length, left = RandomAccess.GetLength(file) - from;
            byte[] block = new byte[Math.Clamp(left, 0, _before.Length + BlockSize)];
            int filled = 0;
            while (filled < block.Length && RandomAccess.Read(file, block.AsSpan(filled), from + filled) is var read and > 0)
                filled += read;
            hasMore = left > block.Length && filled == block.Length;
            return filled == block.Length ? block : block[..filled];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }
}
