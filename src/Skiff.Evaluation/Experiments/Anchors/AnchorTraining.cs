using System.Text.Json.Nodes;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>The trained models of the anchor experiment, each a run in <c>work/</c> that goes on where it was interrupted.</summary>
internal static class AnchorTraining
{
    private const int Vocabulary = 4096, SmokeVocabulary = 512;

    /// <summary>Tokens in a sequence of training; prompts of five demonstrations fit.</summary>
    public const int Context = 640;

    /// <summary>The corpus and its tokenizer.</summary>
    public static JsonObject Prepare(ExperimentContext context, bool smoke)
    {
        AnchorCorpus corpus = Corpus(context, smoke);
        string path = Tokenizer(context.Folder);
        if (!File.Exists(Path.Combine(path, "tokenizer.json")))
        {
            BpeTrainingResult result = BpeTrainer.Train(corpus.Files, new BpeTrainingOptions { VocabularySize = smoke ? SmokeVocabulary : Vocabulary }, cancellation: context.Stop);
            AtomicFolder.Write(path, result.Tokenizer.Save);
        }

        return new JsonObject { ["held_out_texts"] = corpus.HeldOutTexts.Count, ["book_characters"] = corpus.HeldOutBook.Length };
    }

    public static AnchorCorpus Corpus(ExperimentContext context, bool smoke) =>
        AnchorCorpus.Build(context.Data, Path.Combine(context.Folder, "work", "corpus"), smoke ? 200 : 10000);

    /// <summary>A base: full attention, the rate constant.</summary>
    public static JsonObject Base(ExperimentContext context, AnchorModelSize size, int seed) => Train(context, RunName(size, seed, "base"), seed, size.BaseSteps,
        $"model: {{model_type: llama, {size.Shape}, max_position_embeddings: 1024, tie_word_embeddings: true}}\ntokenizer: {{path: {ExperimentTraining.Quoted(Tokenizer(context.Folder))}}}",
        [("text", 2), ("near", 1), ("far", 1), ("echo", 2)], decay: 1);

    /// <summary>
    /// An arm: the base with equal tokens more. First episodes whose every sentence asks for something, so that an anchor that carries it is
    /// found at all; then, while the rate decays, from afar.
    /// </summary>
    public static JsonObject Arm(ExperimentContext context, AnchorModelSize size, int seed, AnchorArm arm)
    {
        string start = $"init_from: {ExperimentTraining.Quoted(ModelPath(context.Folder, size, seed, "base"))}\nstages: [{{from: decay, mixture: {{text: 1, near: 1, far: 2}}}}]";
        return Train(
            context, RunName(size, seed, arm.Name), seed + 100, size.ArmSteps, arm.Recipe is null ? start : $"{start}\nanchors: {arm.Recipe}",
            [("text", 1), ("near", 2), ("far", 0)], decay: size.ArmSteps * 3 / 5);
    }

    /// <summary>Where a run's model lies.</summary>
    public static string ModelPath(string folder, AnchorModelSize size, int seed, string run) => Path.Combine(Run(folder, RunName(size, seed, run)), "model");

    private static string RunName(AnchorModelSize size, int seed, string run) => $"{size.Name}-{seed}-{run}";

    private static string Run(string folder, string name) => Path.Combine(Path.GetFullPath(folder), "work", name);

    private static string Tokenizer(string folder) => Path.Combine(Path.GetFullPath(folder), "work", "tokenizer");

    private static JsonObject Train(ExperimentContext context, string name, int seed, int steps, string start, (string File, int Weight)[] mixture, int decay)
    {
        string work = Path.Combine(Path.GetFullPath(context.Folder), "work");
        string yaml = string.Join('\n',
            $"output: {ExperimentTraining.Quoted(Run(context.Folder, name))}",
            $"seed: {seed}",
            start,
            $"data: [{string.Join(", ", mixture.Select(part => $"{{name: {part.File}, files: {ExperimentTraining.Quoted(Path.Combine(work, "corpus", part.File + ".jsonl"))}, weight: {part.Weight}}}"))}]",
            "held_out: 0",
            $"context_length: {Context}",
            "batch_size: 4",
            $"steps: {steps}",
            "optimizer: {name: muon, learning_rate: 0.003, muon_learning_rate: 0.02}",
            $"schedule: {{form: wsd, warmup_steps: {Math.Min(20, steps / 4)}, decay_steps: {decay}}}",
            "checkpoint: {every: 200, keep: 1}");
        return new JsonObject { ["steps"] = ExperimentTraining.Run(context, name, yaml, every: 20) };
    }
}
