namespace Skiff.Cli;

/// <summary>Every verb, in the order of the help page.</summary>
internal static class Verbs
{
    public static IEnumerable<Verb> All() =>
    [
        GenerateVerb.Create(),
        ScoreVerb.Create(),
        InfoVerb.Create(),
        ZooVerb.Create(),
        InitVerb.Create(),
        ConvertVerb.Create(),
        QuantizeVerb.Create(),
        MergeVerb.Create(),
        TokenizeVerb.Create(),
        DetokenizeVerb.Create(),
        TokenizerVerb.Create(),
        TrainVerb.Create(),
        AnchorVerb.Create(),
        PruneVerb.Create(),
        DistillVerb.Create(),
        SearchVerb.Create(),
        SynthesizeVerb.Create(),
        EvalVerb.Create(),
        WatchVerb.Create(),
        BenchVerb.Create(),
        ExperimentVerb.Create(),
    ];
}
