using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Writes a file under a temporary name in the same folder, flushes it to the disk, and only then renames it: a killed
/// process leaves the old file or the new one, never a part.
/// </summary>
public static class AtomicFile
{
    private const int BufferBytes = 1 << 16;

    /// <summary>Writes what <paramref name="write"/> puts into the stream, which can seek; replaces a file that is there.</summary>
    /// <exception cref="InvalidInputException">The file cannot be written: no such folder, no right, no room.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string target = Path.GetFullPath(path);
        string temporary = Path.Combine(Path.GetDirectoryName(target) ?? "", $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, BufferBytes))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e)
        {
            Remove(temporary);
            if (e is IOException or UnauthorizedAccessException)
                throw new InvalidInputException(path, "file", $"cannot be written: {e.Message}", e);
            if (IsTooLarge(e))
                throw new InvalidInputException(path, "file", "cannot be written: the file system, or a limit of the process, takes no file as large as this", e);
            throw;
        }
    }

    // What .NET makes of the system's EFBIG.
    private static bool IsTooLarge(Exception e) => e is ArgumentOutOfRangeException { ParamName: "value", ActualValue: null, Source: "System.Private.CoreLib" };

    /// <summary>Writes text as UTF-8 without a byte order mark.</summary>
    /// <exception cref="InvalidInputException">The file cannot be written.</exception>
    public static void WriteText(string path, string text) => WriteBytes(path, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Writes bytes.</summary>
    /// <exception cref="InvalidInputException">The file cannot be written.</exception>
    public static void WriteBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What made the writing fail is told; that its remains cannot be removed either adds nothing.
        }
    }
}
