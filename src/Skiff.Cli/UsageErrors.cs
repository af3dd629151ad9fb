using System.CommandLine;
using System.CommandLine.Parsing;

namespace Skiff.Cli;

/// <summary>Says in one line what is wrong with a command line, with the nearest known word for a mistyped one.</summary>
internal static class UsageErrors
{
    /// <summary>The first thing wrong, or null when the command line can run.</summary>
    public static string? Find(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        string verb = PathOf(parse.CommandResult);
        string where = $"skiff {verb}".TrimEnd();
        string? unknown = OptionTakenAsArgument(parse) ?? (parse.UnmatchedTokens.Count > 0 ? parse.UnmatchedTokens[0] : null);
        string? problem = null;
        // A verb with an argument of its own is done without one of its inner verbs.
        bool needsVerb = command.Subcommands.Count > 0 && command.Arguments.Count == 0;
        if (unknown is not null)
        {
            bool option = LooksLikeOption(unknown);
            string kind = option ? "option" : needsVerb ? "verb" : "argument";
            IEnumerable<string> known = option
                ? command.Options.Concat(parse.RootCommandResult.Command.Options.Where(o => o.Recursive)).SelectMany(o => o.Aliases.Append(o.Name))
                : command.Subcommands.Select(c => c.Name);
            string mend = Nearest(unknown, known) is { } near ? $"did you mean '{near}'?" : $"'{where} --help' lists what it takes";
            problem = $"unknown {kind} '{unknown}'; {mend}";
        }
        else if (parse.Errors.Count > 0)
        {
            string usage = $"('{where} --help' shows the usage)";
            Argument? missing = command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0 && parse.GetResult(a) is not { Tokens.Count: > 0 });
            problem = needsVerb ? $"which verb? '{where} --help' lists them"
                : missing is not null ? $"{missing.Name} is missing {usage}"
                : $"{parse.Errors[0].Message.TrimEnd('.')} {usage}";
        }

        return problem is null || verb.Length == 0 ? problem : $"{verb}: {problem}";
    }

    /// <summary>The known word that this one begins, or the nearest within two edits (a third of a long word); or null.</summary>
    internal static string? Nearest(string word, IEnumerable<string> known)
    {
        (string? Word, int Distance) best = (null, word.Length > 3 ? Math.Max(word.Length / 3, 2) + 1 : 2);
        foreach (string candidate in known)
        {
            bool begins = word.Length > 3 && candidate.StartsWith(word, StringComparison.Ordinal);
            int distance = begins ? 0 : EditDistance(word, candidate);
            if (distance < best.Distance)
                best = (candidate, distance);
        }

        return best.Word;
    }

    // "tokenizer train" for a verb inside a verb; nothing for the program itself.
    private static string PathOf(CommandResult result) =>
        result.Command is RootCommand ? "" : result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}".TrimStart() : result.Command.Name;

    // The parser takes an unknown option for a verb's positional argument; after "--" that is what the user meant.
    private static string? OptionTakenAsArgument(ParseResult parse)
    {
        if (parse.Tokens.Any(t => t.Type == TokenType.DoubleDash))
            return null;
        return parse.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(a => a.Tokens).Select(t => t.Value).FirstOrDefault(LooksLikeOption);
    }

    private static bool LooksLikeOption(string token) => token.Length > 1 && token[0] == '-';

    private static int EditDistance(string a, string b)
    {
        int[] row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
