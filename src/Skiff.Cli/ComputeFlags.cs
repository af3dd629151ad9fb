using System.CommandLine;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>What verbs that compute have in common: which instructions, and how many threads. Flags win over <c>SKIFF_ISA</c> and <c>SKIFF_THREADS</c>.</summary>
internal static class ComputeFlags
{
    private const string Isa = "--isa", Threads = "--threads", Memory = "--memory";

    /// <summary>Adds the flags; a verb with a <c>--threads</c> of its own keeps it.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="loadsModel">Whether it runs a model on the engine, which has a memory budget.</param>
    /// <returns>The flag of that budget, or null.</returns>
    public static Option<long?>? AddTo(Command verb, bool loadsModel)
    {
        Option<long?>? memory = loadsModel ? Flags.Bytes(Memory, "Memory that weights and passes may take, as 500M or 4G [default: what the machine has free].") : null;
        if (memory is not null)
            verb.Options.Add(memory);
        Option<string?> isa = Flags.Text(Isa, string.Join('|', IsaChoice.Names), "Instructions to compute with [default: the widest this processor has, or SKIFF_ISA].");
        verb.Options.Add(isa);
        if (!verb.Options.Any(option => option.Name == Threads))
            verb.Options.Add(Flags.Whole(Threads, "Threads that compute [default: one a processor, or SKIFF_THREADS]."));
        return memory;
    }

    /// <summary>Sets the process up before anything is computed.</summary>
    public static void Apply(ParseResult parse, Option<long?>? memory)
    {
        if (parse.GetResult(Isa) is not null && parse.GetValue<string?>(Isa) is { } isa)
            IsaChoice.Choose(isa, Isa);
        if (parse.CommandResult.Command.Options.FirstOrDefault(option => option.Name == Threads) is Option<int?> option && parse.GetValue(option) is { } threads)
            ThreadTeam.ChooseDefault(threads, Threads);
        if (memory is not null && parse.GetValue(memory) is { } bytes)
            MemoryBudget.Choose(bytes, Memory);
    }
}
