using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>Entry point: the verbs, and the one place where a refusal becomes a line and an exit code.</summary>
public static class Program
{
    internal const int Success = 0;
    internal const int Failed = 1;
    internal const int WrongUse = 2;
    internal const int Interrupted = 130;
    internal const int BrokenPipe = 141;

    /// <summary>
    /// Exit code 0 only on success; 1 for refused input or a failure, 2 for a wrong command line, 130 after Ctrl+C
    /// (143 after SIGTERM), 141 when the reader of standard output went away.
    /// </summary>
    public static int Main(string[] args)
    {
        using CancellationTokenSource stop = new();
        int interrupted = Interrupted;
        // The first signal asks the verb to stop cleanly; the second has its usual effect and ends the process.
        void Stop(PosixSignalContext context)
        {
            context.Cancel = !stop.IsCancellationRequested;
            interrupted = 128 + (context.Signal == PosixSignal.SIGTERM ? 15 : 2);
            stop.Cancel();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        int code = Run(args, Output.Standard(), Console.Error, stop.Token);
        return code == Interrupted ? interrupted : code;
    }

    /// <summary>One command line from parsing to exit code; results go to <paramref name="output"/>, all else to <paramref name="error"/>.</summary>
    internal static int Run(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken stop = default)
    {
        try
        {
            int code = Invoke(args, output, error, stop);
            output.Flush();
            return code;
        }
        catch (Exception e)
        {
            // Parallel work wraps what its parts throw.
            if (e is AggregateException aggregate)
                e = aggregate.Flatten().InnerExceptions[0];
            switch (e)
            {
                case OperationCanceledException:
                    Keep(output);
                    return Report(error, "stopped", Interrupted);
                case IOException when IsBrokenPipe(e):
                    return BrokenPipe;
                case InvalidInputException or IOException or UnauthorizedAccessException:
                    Keep(output);
                    return Report(error, e.Message, Failed);
                case OutOfMemoryException:
                    return Report(error, "out of memory: use a smaller model, context or batch", Failed);
                default:
                    // A mistake of ours: whoever mends it needs the trace.
                    Keep(output);
                    error.WriteLine($"skiff: internal error: {e}");
                    return Failed;
            }
        }
    }

    private static int Invoke(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken stop)
    {
        RootCommand root = CreateRoot();
        // A prompt may begin with '@': it is text, not the name of a file of arguments.
        ParseResult parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        bool informs = parse.Action is SynchronousCommandLineAction { ClearsParseErrors: true };
        if (!informs && UsageErrors.Find(parse) is { } wrong)
            return Report(error, wrong, WrongUse);
        InvocationConfiguration configuration = new()
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        return parse.InvokeAsync(configuration, stop).GetAwaiter().GetResult();
    }

    private static RootCommand CreateRoot()
    {
        RootCommand root = new("Skiff: design, train, shrink, measure and serve small language models.");
        foreach (Verb verb in Verbs.All())
            root.Add(verb);
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction plain } help)
                help.Action = new HelpWithExamples(plain);
        }

        root.SetAction((ParseResult parse) =>
        {
            parse.InvocationConfiguration.Error.WriteLine("skiff: which verb? 'skiff --help' lists them");
            return WrongUse;
        });
        return root;
    }

    private static int Report(TextWriter error, string problem, int code)
    {
        error.WriteLine($"skiff: {problem.ReplaceLineEndings(" ").Trim()}");
        return code;
    }

    // What was already printed stays printed, in front of the error's line.
    private static void Keep(TextWriter output)
    {
        try
        {
            output.Flush();
        }
        catch (IOException)
        {
        }
    }

    // EPIPE on Linux and macOS, ERROR_BROKEN_PIPE and ERROR_NO_DATA on Windows.
    private static bool IsBrokenPipe(Exception e) =>
        OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 109 or 232 : e.HResult == 32;
}
