using Skiff.Cli;

namespace Skiff.Tests.EndToEnd;

/// <summary>Runs the program inside the test's process, as a shell would.</summary>
internal static class CommandLine
{
    public static (int Code, string Output, string Error) Run(params string[] args) => Start(args, TestContext.Current.CancellationToken);

    /// <summary>The same after a Ctrl+C.</summary>
    public static (int Code, string Output, string Error) RunInterrupted(params string[] args) => Start(args, new CancellationToken(canceled: true));

    /// <summary>The same, where nothing may go wrong.</summary>
    public static string Output(params string[] args)
    {
        (int code, string output, string error) = Run(args);
        Assert.True(code == 0, error);
        return output;
    }

    private static (int Code, string Output, string Error) Start(string[] args, CancellationToken stop)
    {
        using StringWriter output = new() { NewLine = "\n" };
        using StringWriter error = new() { NewLine = "\n" };
        int code = Program.Run(args, output, error, stop);
        return (code, output.ToString(), error.ToString());
    }
}
