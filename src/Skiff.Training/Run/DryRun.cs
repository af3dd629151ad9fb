// N parameters, L layers, D width, T time
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>What a run would take, found without training or tokenising anything.</summary>
/// <param name="Parameters">All parameters, adapters not counted.</param>
/// <param name="NonEmbeddingParameters">The same without embeddings and head.</param>
/// <param name="TrainedParameters">Those that are trained.</param>
/// <param name="Memory">What it needs.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="MicroBatchSize">Sequences of the first stage that go through at a time.</param>
/// <param name="CorpusBytes">The data's files.</param>
/// <param name="PeakGflops">The arithmetic peak measured now, 10^9 operations a second.</param>
/// <param name="Seconds">The time it may take.</param>
public sealed record DryRun(
    long Parameters, long NonEmbeddingParameters, long TrainedParameters, MemoryNeed Memory, long Steps, long Tokens, int MicroBatchSize,
    long CorpusBytes, double PeakGflops, double Seconds)
{
    /// <summary>The share of the peak that the estimate of time assumes.</summary>
    public const double AssumedShare = 0.6;

    /// <summary>Looks at a recipe; a tokenizer that it would train is taken to have as many entries as it asks for.</summary>
    /// <exception cref="InvalidInputException">The recipe cannot be honoured.</exception>
    public static DryRun Of(Recipe recipe, string source, CancellationToken stop = default)
    {
        TrainingSetup setup = TrainingSetup.Resolve(recipe, source, RunFolder.TokenizerPathOf(recipe.Output), trains: false, new TrainingEvents(), stop);
        long bytes = recipe.Data.Sum(data => DocumentReader.Find(data.Files, data.Format).Sum(file => new FileInfo(file).Length));
        ModelConfig config = setup.Config;
        double peak = MachinePeak.Best(5), operations = 0;
        for (int i = 0; i < setup.Stages.Count; i++)
        {
            TrainingStage stage = setup.Stages[i];
            long end = i + 1 < setup.Stages.Count ? setup.Stages[i + 1].FromStep : recipe.TotalSteps;
            // Forward and backward of every weight, and of what attention does with half of all pairs of positions.
            double token = 6.0 * config.ParameterCount + 6.0 * config.NumHiddenLayers * config.HiddenSize * stage.Data.ContextLength;
            operations += token * recipe.TokensPerStep * (end - stage.FromStep) * (recipe.Recompute ? 4.0 / 3 : 1);
        }

        return new DryRun(
            config.ParameterCount, config.NonEmbeddingParameterCount, setup.Parameters.Where(setup.Trains).Sum(p => p.Count), Trainer.NeedOf(setup),
            recipe.TotalSteps, recipe.TotalSteps * recipe.TokensPerStep, setup.MicroBatchOf(0), bytes, peak / 1e9, operations / (AssumedShare * peak));
    }
}
