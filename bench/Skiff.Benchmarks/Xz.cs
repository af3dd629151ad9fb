using System.ComponentModel;
using System.Diagnostics;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>The program <c>xz</c> at its strongest preset.</summary>
internal static class Xz
{
    /// <summary>The program's version, or null where there is none on the PATH.</summary>
    public static string? Version()
    {
        try
        {
            return System.Text.Encoding.UTF8.GetString(Run([], "--version")).Split('\n')[0].Trim();
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Bytes of the compressed file, its frame included.</summary>
    /// <exception cref="InvalidInputException">The program fails.</exception>
    public static long Compress(byte[] text) => Run(text, "-9e", "--threads=1", "--stdout").LongLength;

    private static byte[] Run(byte[] input, params string[] arguments)
    {
        ProcessStartInfo start = new("xz", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // They hold options that would come before ours.
        start.Environment.Remove("XZ_DEFAULTS");
        start.Environment.Remove("XZ_OPT");
        using Process process = Process.Start(start)!;
        using MemoryStream output = new();
        Task reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        Task<string> complaint = process.StandardError.ReadToEndAsync();
        try
        {
            using Stream stream = process.StandardInput.BaseStream;
            stream.Write(input);
        }
        catch (IOException)
        {
            // It ended early; why is what it has written.
        }

        process.WaitForExit();
        reading.Wait();
        return process.ExitCode == 0 ? output.ToArray() : throw new InvalidInputException("xz", $"exit {process.ExitCode}", complaint.Result.Trim());
    }
}
