using System.CommandLine;

namespace Skiff.Cli;

/// <summary>Entry point: the verbs, and the one place where a refusal becomes a line and an exit code.</summary>
public static class Program
{
    /// <summary>Exit code 0 only on success; 1 for refused input or a failure.</summary>
    public static int Main(string[] args)
    {
        RootCommand root = new("Skiff: design, train, shrink, measure and serve small language models.");
        return root.Parse(args).Invoke();
    }
}
