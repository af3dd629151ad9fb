using System.CommandLine;

namespace Skiff.Cli;

/// <summary>A command with examples under its help page. A verb's file makes one in <c>Create()</c>.</summary>
internal sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Command lines a reader can copy, each beginning with "skiff".</summary>
    public IReadOnlyList<string> Examples { get; init; } = [];

    /// <summary>
    /// What the verb does, and its exit code. It writes to <c>parse.InvocationConfiguration</c>'s Output and Error,
    /// refuses input with an InvalidInputException and throws OperationCanceledException once the token is cancelled.
    /// </summary>
    public Verb Runs(Func<ParseResult, CancellationToken, int> run)
    {
        SetAction((parse, stop) => Task.FromResult(run(parse, stop)));
        return this;
    }

    /// <summary>The same for a verb that computes: it has <see cref="ComputeFlags"/>, which hold from its first line on.</summary>
    public Verb Computes(Func<ParseResult, CancellationToken, int> run, bool loadsModel = true)
    {
        Option<long?>? memory = ComputeFlags.AddTo(this, loadsModel);
        return Runs((parse, stop) =>
        {
            ComputeFlags.Apply(parse, memory);
            return run(parse, stop);
        });
    }
}
