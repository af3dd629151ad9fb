namespace Skiff.Cli;

/// <summary>Every verb, in the order of the help page.</summary>
internal static class Verbs
{
    public static IEnumerable<Verb> All() =>
    [
        TokenizerVerb.Create(),
        GenerateVerb.Create(),
        ScoreVerb.Create(),
    ];
}
