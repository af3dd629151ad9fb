namespace Skiff.Cli;

/// <summary><c>skiff bench</c>: what this machine reaches, against its own limits.</summary>
internal static class BenchVerb
{
    public static Verb Create() => new("bench", "Measure speed and memory against the machine's own limits.") { BenchTrainVerb.Create() };
}
