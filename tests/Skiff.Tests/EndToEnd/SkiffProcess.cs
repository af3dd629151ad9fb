using System.Diagnostics;
using Skiff.Cli;

namespace Skiff.Tests.EndToEnd;

/// <summary>The program as a process of its own, which has its own threads and can be killed.</summary>
internal static class SkiffProcess
{
    /// <summary>The program's assembly, for a shell.</summary>
    public static string Assembly => typeof(Program).Assembly.Location;

    /// <summary>Starts it; what it writes is thrown away but for <paramref name="error"/>.</summary>
    public static Process Start(string[] arguments, out Task<string> error, params (string Name, string Value)[] environment) =>
        Start("dotnet", [Assembly, .. arguments], out error, environment);

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Code, string Error)> Run(string[] arguments, params (string Name, string Value)[] environment)
    {
        using Process process = Start(arguments, out Task<string> error, environment);
        return await End(process, error);
    }

    /// <summary>Runs a script of bash to its end.</summary>
    public static async Task<(int Code, string Error)> Bash(string script, params (string Name, string Value)[] environment)
    {
        using Process process = Start("bash", ["-c", script], out Task<string> error, environment);
        return await End(process, error);
    }

    private static Process Start(string program, string[] arguments, out Task<string> error, (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        Process process = Process.Start(start)!;
        error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        process.BeginOutputReadLine();
        return process;
    }

    private static async Task<(int Code, string Error)> End(Process process, Task<string> error)
    {
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        finally
        {
            // A test that is given up leaves nothing running.
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }

        return (process.ExitCode, await error);
    }
}
