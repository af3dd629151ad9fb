using System.ComponentModel.DataAnnotations;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A training run as a YAML file describes it: keys are the properties' names in snake case (<c>docs/recipes.md</c>). Paths
/// are relative to the working directory. What is read from a file is whole: defaults that depend on other values are filled in.
/// </summary>
public sealed record Recipe
{
    /// <summary>The run's folder; by default <c>runs/</c> and the recipe's file name without its ending.</summary>
    public string Output { get; init; } = "runs/recipe";

    /// <summary>Decides initial weights, the order of the data and what is sampled.</summary>
    [Range(0, 9e15)]
    public long Seed { get; init; }

    /// <summary>An architecture to train from random weights; this or <see cref="InitFrom"/>.</summary>
    public RecipeModel? Model { get; init; }

    /// <summary>A model whose weights are continued: a folder, a .gguf or a llama2.c .bin file.</summary>
    public string? InitFrom { get; init; }

    /// <summary>What turns text into ids; null for that of <see cref="InitFrom"/>.</summary>
    public RecipeTokenizer? Tokenizer { get; init; }

    /// <summary>The corpora, at least one.</summary>
    public IReadOnlyList<RecipeData> Data { get; init; } = [];

    /// <summary>The share of all documents that is kept from training and measured on.</summary>
    [Range(0, 1, MaximumIsExclusive = true)]
    public double HeldOut { get; init; } = 0.01;

    /// <summary>Tokens in a sequence.</summary>
    [Range(1, 1 << 24)]
    public int ContextLength { get; init; } = 256;

    /// <summary>Sequences of <see cref="ContextLength"/> in an optimizer step.</summary>
    [Range(1, 1 << 20)]
    public int BatchSize { get; init; } = 32;

    /// <summary>Sequences that go forward and backward at once, a divisor of <see cref="BatchSize"/>; 0 to have it chosen.</summary>
    [Range(0, 1 << 20)]
    public int MicroBatchSize { get; init; }

    /// <summary>Documents that share a sequence do not see each other.</summary>
    public bool DocumentMask { get; init; } = true;

    /// <summary>How long to train, in tokens, rounded up to whole steps; this or <see cref="Steps"/>.</summary>
    [Range(1, 1e15)]
    public long? Tokens { get; init; }

    /// <summary>How long to train, in optimizer steps.</summary>
    [Range(1, 1e12)]
    public long? Steps { get; init; }

    /// <summary>How initial weights, scales and learning rates follow from the model's shape.</summary>
    public RecipeParametrization Parametrization { get; init; } = new();

    /// <summary>The optimizer.</summary>
    public RecipeOptimizer Optimizer { get; init; } = new();

    /// <summary>The learning rate's course.</summary>
    public RecipeSchedule Schedule { get; init; } = new();

    /// <summary>Later stretches of the run, in order.</summary>
    public IReadOnlyList<RecipeStage> Stages { get; init; } = [];

    /// <summary>Losses beside that of the text, for mixtures of experts.</summary>
    public RecipeExperts Experts { get; init; } = new();

    /// <summary>A block's activations are computed again for its gradients instead of being kept: less memory, a third more arithmetic.</summary>
    public bool Recompute { get; init; }

    /// <summary>Passes see the weights as this mixture of number types rounds them, so that the model loses less when it is quantized: <c>q4_0</c>.</summary>
    public string? RoundTo { get; init; }

    /// <summary>Trains small additions to the matrices instead of the weights; null for the weights.</summary>
    public RecipeLora? Lora { get; init; }

    /// <summary>Trains under the segment rule; null for that of <see cref="InitFrom"/>, or for none.</summary>
    public RecipeAnchors? Anchors { get; init; }

    /// <summary>Trains towards a teacher; null for the text alone.</summary>
    public RecipeDistill? Distill { get; init; }

    /// <summary>Measurements on what is held out.</summary>
    public RecipeValidation Validation { get; init; } = new();

    /// <summary>What is saved on the way.</summary>
    public RecipeCheckpoint Checkpoint { get; init; } = new();

    /// <summary>Texts that the model writes on the way.</summary>
    public RecipeSamples Samples { get; init; } = new();

    /// <summary>When to give up.</summary>
    public RecipeWatchdog Watchdog { get; init; } = new();

    /// <summary>Tokens in an optimizer step, the same in every stage.</summary>
    public long TokensPerStep => (long)BatchSize * ContextLength;

    /// <summary>Optimizer steps of the whole run.</summary>
    public long TotalSteps => Steps ?? (((Tokens ?? 0) + TokensPerStep - 1) / TokensPerStep);

    /// <summary>Reads a recipe file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sets">Changes, each <c>key=value</c>: a dotted key (<c>optimizer.learning_rate</c>, <c>data.0.weight</c>) and YAML.</param>
    /// <exception cref="InvalidInputException">Names the file, the dotted key and the line.</exception>
    public static Recipe Read(string path, IReadOnlyList<string> sets) => Parse(RecipeYaml.ReadText(path), path, sets);

    /// <summary>Reads a recipe's text; <paramref name="source"/> is its file's name, for messages and for <see cref="Output"/>.</summary>
    /// <inheritdoc cref="Read"/>
    public static Recipe Parse(string yaml, string source, IReadOnlyList<string> sets)
    {
        RecipeNode root = RecipeYaml.Parse(yaml, source);
        root = root.IsNull ? RecipeNode.Empty(source, "line 1", list: false) : root;
        foreach (string set in sets)
            RecipeSets.Apply(root, set, source);
        Recipe recipe = RecipeBinder.Bind(root, new Recipe());
        // A default may depend on a value that is itself a default.
        for (int i = 0; i < 2; i++)
            recipe = RecipeBinder.Bind(root, recipe.Defaults(source));
        RecipeChecks.Check(recipe, root.RefuseBelow);
        return recipe;
    }

    /// <summary>The whole recipe as YAML, every value written out: reading it gives the same recipe.</summary>
    public string ToYaml() => RecipeWriter.Write(this);

    /// <summary>The learning rate's course in steps.</summary>
    public LearningRateOptions LearningRateOptions() => Schedule.ToOptions(TotalSteps);

    /// <summary>The factor on every learning rate, step by step: that of the schedule times that of the stage.</summary>
    public StagedLearningRate LearningRateFactor() => new(new LearningRateSchedule(LearningRateOptions()), TrainingStages());

    /// <summary>The run's stretches, in order, with everything resolved; the first begins at 0.</summary>
    /// <exception cref="InvalidInputException">The recipe was changed since it was read, and its stages no longer fit.</exception>
    public IReadOnlyList<TrainingStage> TrainingStages() => RecipeStages.Resolve(this, RefuseChanged);

    /// <summary>What the data loader is asked for.</summary>
    /// <remarks>A branch whose longest context is not its run's needs the piece length of the run's <see cref="DataPosition"/>.</remarks>
    /// <inheritdoc cref="TrainingStages"/>
    public DataLoaderOptions DataLoaderOptions() => new() { Seed = Seed, HeldOutShare = HeldOut, Stages = [.. TrainingStages().Select(stage => stage.Data)] };

    /// <summary>
    /// A branch of this run that decays from <paramref name="step"/> on and ends with the decay. Stages that begin at the decay
    /// move with it; those by tokens that the branch no longer comes to are left out.
    /// </summary>
    /// <param name="step">A step of the stable part.</param>
    /// <param name="decaySteps">The decay's length; null for this recipe's.</param>
    /// <exception cref="InvalidInputException">The schedule is no wsd, or the step lies outside its stable part.</exception>
    public Recipe DecayAt(long step, long? decaySteps = null)
    {
        LearningRateOptions().DecayAt(step);
        long decay = decaySteps ?? Schedule.DecaySteps;
        if (decay < 1 || decay > 1e12)
            throw new InvalidInputException("schedule", "decay steps", $"{decay}: a branch decays over at least 1 step and at most 1E+12");
        if (RecipeStages.WithOwnSchedule(this, step + decay) is >= 0 and int stage)
            throw new InvalidInputException("schedule", "decay at", $"stages.{stage} puts another schedule in force before the branch ends with step {step + decay}");
        Recipe branch = this with
        {
            Tokens = null,
            Steps = step + decay,
            Schedule = Schedule with { DecaySteps = decay },
            Stages = RecipeStages.OfBranch(this, step, step + decay),
        };
        RecipeChecks.Check(branch, RefuseChanged);
        return branch;
    }

    private static InvalidInputException RefuseChanged(string key, string problem) => new("recipe", key, problem);

    private Recipe Defaults(string source)
    {
        bool mup = Parametrization.Form == ParametrizationForm.Mup, continues = InitFrom is not null;
        long steps = TotalSteps, warmup = Math.Clamp(steps / 100, 1, 2000);
        return new Recipe
        {
            Output = Path.Combine("runs", Path.GetFileNameWithoutExtension(source)),
            Parametrization = new() { InitStd = mup ? 0.1 : 0.02 },
            // What a model has learnt is lost at the rates that random weights need.
            Optimizer = new()
            {
                LearningRate = Lora is not null ? 2e-4 : continues ? 2e-5 : mup ? 0.01 : 0.003,
                MuonLearningRate = continues ? 2e-4 : 0.02,
            },
            Schedule = new()
            {
                WarmupSteps = warmup,
                DecaySteps = Schedule.Form == ScheduleForm.Wsd ? Math.Max(0, Math.Min(Math.Max(1, steps / 10), steps - Schedule.WarmupSteps)) : 0,
            },
            Validation = new() { Tokens = HeldOut > 0 ? new RecipeValidation().Tokens : 0 },
            Checkpoint = new() { Best = Validation.Tokens > 0 },
        };
    }
}
