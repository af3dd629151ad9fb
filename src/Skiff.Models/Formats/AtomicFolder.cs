using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Writes a model folder beside its place and moves it there when it is whole. A folder that is there keeps its other
/// files; its <c>config.json</c> goes first and the new one comes last, so that a killed process leaves the old model, the
/// new one, or a folder without <c>config.json</c> that nobody reads, never a mixture.
/// </summary>
public static class AtomicFolder
{
    private const string Config = "config.json";

    /// <summary>Has <paramref name="write"/> fill a folder and puts its files into <paramref name="folder"/>.</summary>
    /// <exception cref="InvalidInputException">The folder cannot be written.</exception>
    public static void Write(string folder, Action<string> write)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string temporary = Path.Combine(Path.GetDirectoryName(target) ?? target, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            if (!Directory.Exists(target))
                Directory.Move(temporary, target);
            else
                Replace(temporary, target);
        }
        catch (Exception e)
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            if (e is IOException or UnauthorizedAccessException)
                throw new InvalidInputException(folder, "folder", $"cannot be written: {e.Message}", e);
            throw;
        }
    }

    private static void Replace(string temporary, string target)
    {
        File.Delete(Path.Combine(target, Config));
        foreach (string old in Directory.EnumerateFiles(target, "model*.safetensors*"))
            File.Delete(old);
        foreach (string file in Directory.EnumerateFiles(temporary).OrderBy(file => Path.GetFileName(file) == Config))
            File.Move(file, Path.Combine(target, Path.GetFileName(file)), overwrite: true);
        Directory.Delete(temporary);
    }
}
