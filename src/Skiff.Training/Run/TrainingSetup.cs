using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A recipe made concrete: tokenizer, description and what the run needs. Nothing large is taken yet, so that a dry run can tell.
/// </summary>
internal sealed class TrainingSetup
{
    private TrainingSetup(Recipe recipe, string source, Tokenizer tokenizer, Model? start, ModelConfig config)
    {
        (Recipe, Source, Tokenizer, Start, Config) = (recipe, source, tokenizer, start, config);
        Stages = recipe.TrainingStages();
        Lora = recipe.Lora is { } lora ? new LoraSettings(lora.Rank, lora.Alpha, lora.Modules) : null;
        Parametrization = new Parametrization(recipe.Parametrization, config);
    }

    public Recipe Recipe { get; }

    /// <summary>The recipe's file, for messages.</summary>
    public string Source { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>The model whose weights are continued, or null.</summary>
    public Model? Start { get; }

    public ModelConfig Config { get; }

    /// <summary>The start's parameters with a row for a token that is added, or null.</summary>
    public AddedRow? AddedRow { get; private init; }

    /// <summary>Whom the model learns from, or null.</summary>
    public Teacher? Teacher { get; private init; }

    public IReadOnlyList<TrainingStage> Stages { get; }

    public LoraSettings? Lora { get; }

    public Parametrization Parametrization { get; }

    /// <summary>Resolves a recipe.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="source">Its file, for messages.</param>
    /// <param name="trained">Where the tokenizer lies that was trained for the run, or null.</param>
    /// <param name="trainTo">Where to save one that is trained now; null to stand in for it.</param>
    /// <param name="events">Told what happens.</param>
    /// <param name="stop">Stops the training of a tokenizer.</param>
    /// <exception cref="InvalidInputException">Names the key of the recipe that cannot be honoured.</exception>
    public static TrainingSetup Resolve(Recipe recipe, string source, string? trained, string? trainTo, TrainingEvents events, CancellationToken stop)
    {
        Model? start = recipe.InitFrom is null ? null : Model.Open(recipe.InitFrom);
        if (start is not null && recipe.Parametrization.Form == ParametrizationForm.Mup)
            throw new InvalidInputException(source, "parametrization.form", "a model that is continued keeps its own scales: leave it out");
        if (start is not null && start.Type.IsQuantized())
            events.Note?.Invoke($"{recipe.InitFrom} is {start.Type.Name()}: its weights are trained, and written, as the f32 numbers that they stand for");
        Tokenizer tokenizer = RunTokenizer.Find(recipe, source, start, trained, trainTo, events, stop);
        ModelConfig config = start is not null ? Continued(start.Config, recipe, source, tokenizer) : Described(recipe, source, tokenizer);
        config = Parametrization.Configure(config, recipe.Parametrization, source);
        AddedRow? added = null;
        if (recipe.Anchors is { } anchors)
        {
            bool adds = anchors.Kind == AnchorKind.Added && tokenizer.IdOf(AnchorTokens.Added) is null;
            tokenizer = adds ? tokenizer.WithSpecialToken(AnchorTokens.Added) : tokenizer;
            AnchorConfig rule = anchors.Describe(tokenizer, source);
            config = config.With(new Dictionary<string, JsonNode?> { ["anchors"] = rule.ToJson(), ["vocab_size"] = Math.Max(config.VocabSize, tokenizer.VocabularySize) });
            if (adds)
                added = new AddedRow(start!, config.VocabSize, rule.AddedId!.Value, anchors.Init == AnchorStart.Stop ? StopOf(tokenizer, source) : null);
        }

        if (config.Anchors?.AddedId is not null && recipe.Data.FirstOrDefault(data => data.Format == DocumentFormat.Chat) is { } chat)
            throw new InvalidInputException(source, "data", $"'{chat.Name}' holds conversations, into which no {AnchorTokens.Added} is put: use text, or anchors of kind endpoint");
        int longest = recipe.TrainingStages().Max(stage => stage.Data.ContextLength);
        if (longest > config.MaxPositionEmbeddings)
            throw new InvalidInputException(source, "context_length", $"{longest} tokens are more than the model's context of {config.MaxPositionEmbeddings}");
        Teacher? teacher = recipe.Distill is null ? null : Teacher.Open(recipe.Distill, source, config, tokenizer, longest);
        if (recipe.Distill is { Cache: not null, States.Count: > 0 } or { Cache: not null, TeacherRate: > 0 })
            throw new InvalidInputException(source, "distill.cache", "keeps no hidden states, and nothing of a teacher that changes: leave it or states and teacher_rate out");
        if (recipe.Distill?.Cache is not null && recipe.TrainingStages().Any(stage => stage.Data.ContextLength != longest))
            throw new InvalidInputException(source, "distill.cache", "is for a run of one context length: leave it out, or the stages' context_length");
        StatePair[] states = [.. recipe.Distill?.States.Select(pair => StatePair.Parse(pair, source, teacher!.Model.Config, config)) ?? []];
        TrainingSetup setup = new(recipe, source, tokenizer, start, config) { AddedRow = added, Teacher = teacher, States = states };
        setup.CheckLora();
        return setup;
    }

    /// <summary>The description of a stage, which may turn positions otherwise.</summary>
    public ModelConfig ConfigOf(int stage) => Stages[stage].RopeTheta is not { } theta ? Config
        : Config.Layers.All(layer => layer.Rope is null) ? throw new InvalidInputException(Source, $"stages.{stage - 1}.rope_theta", "the model's positions do not enter by rotation")
        : Config.With(new Dictionary<string, JsonNode?> { ["rope_theta"] = theta });

    /// <summary>The number types that passes see the weights in, or null for the exact ones.</summary>
    public QuantizationMix? RoundTo => QuantizationMix.All.FirstOrDefault(mix => mix.Name == Recipe.RoundTo);

    /// <summary>Hidden states that are compared with the teacher's.</summary>
    public IReadOnlyList<StatePair> States { get; private init; } = [];

    /// <summary>Everything stored, and what is trained beside the model.</summary>
    public IEnumerable<Parameter> Parameters =>
        [.. ParameterList.Of(Config), .. Lora?.Parameters(Config) ?? [], .. States.Count > 0 ? StatePair.Parameters(Teacher!.Model.Config, Config) : []];

    /// <summary>Whether a parameter is trained.</summary>
    public bool Trains(Parameter parameter) => Lora is null || parameter.Kind is LoraSettings.Down or LoraSettings.Up or StatePair.Projection;

    /// <summary>Arithmetic that a weight takes for each token: 2 forward, 2 for the gradient of its input, and 2 for its own where it is trained.</summary>
    public int OperationsPerParameter => Lora is null ? 6 : 4;

    /// <summary>How a parameter is trained.</summary>
    public ParameterRate Rate(Parameter parameter)
    {
        RecipeOptimizer optimizer = Recipe.Optimizer;
        bool matrix = parameter.Shape.Length > 1 && !parameter.Kind.EndsWith("bias", StringComparison.Ordinal);
        RecipeParameterGroup? group = optimizer.Groups.FirstOrDefault(group => group.Holds(parameter.Name));
        bool muon = optimizer.Name == OptimizerKind.Muon && parameter.Layer >= 0 && parameter.IsMatrix;
        return new ParameterRate(
            Parametrization.RateScale(parameter, muon) * (group?.LearningRateScale ?? 1), group?.WeightDecay ?? (matrix ? optimizer.WeightDecay : 0), muon);
    }

    /// <summary>What makes a teacher learn the text meanwhile, or null: as its student does, at a share of the rate.</summary>
    public LearningTeacher? Learning(TrainingParameters? teacher) => Teacher is { Learns: true }
        ? new LearningTeacher(teacher!, CreateOptimizer(teacher!), Recipe.Distill!.TeacherRate, Recipe.Optimizer.Clip)
        : null;

    /// <summary>An optimizer for the parameters.</summary>
    public Optimizer CreateOptimizer(TrainingParameters parameters)
    {
        RecipeOptimizer optimizer = Recipe.Optimizer;
        return new Optimizer(
            parameters, Rate, new AdamWSettings { Beta1 = optimizer.Beta1, Beta2 = optimizer.Beta2, Epsilon = optimizer.Epsilon },
            new MuonSettings { Momentum = optimizer.MuonMomentum }, optimizer.MuonLearningRate / optimizer.LearningRate);
    }

    /// <summary>Sequences of a stage that go through the decoder at a time.</summary>
    public int MicroBatchOf(int stage) => Stages[stage].MicroBatchSize > 0
        ? Stages[stage].MicroBatchSize
        : MicroBatch.Rows(Stages[stage].BatchSize, Stages[stage].Data.ContextLength);

    /// <summary>The decoder of a stage, recorded for its batches.</summary>
    /// <param name="stage">Which.</param>
    /// <param name="parameters">What is trained.</param>
    /// <param name="teacher">The teacher's numbers, where there is one.</param>
    /// <param name="cache">Where what it foretells is kept, or null.</param>
    public DecoderTape CreateTape(int stage, TrainingParameters parameters, TrainingParameters? teacher, TeacherCache? cache = null)
    {
        TrainingStage own = Stages[stage];
        DecoderTapeOptions shape = new() { Batch = MicroBatchOf(stage), Time = own.Data.ContextLength, DocumentMask = Recipe.DocumentMask, States = States };
        return new DecoderTape(ConfigOf(stage), parameters, shape with
        {
            Teacher = teacher is null ? null : new DecoderTape(Teacher!.Model.Config, teacher, shape with { IsTeacher = true, Learns = Teacher.Learns, Recompute = Recipe.Recompute }),
            Cache = cache,
            Goal = Recipe.Distill is { } goal ? new DistillationGoal(goal.Loss, (float)goal.Temperature, goal.TopK) : default,
            LabelWeight = (float)(Recipe.Distill?.LabelWeight ?? 0),
            Recompute = Recipe.Recompute,
            ExpertBalance = Recipe.Experts.Balance,
            RouterZ = Recipe.Experts.Z,
            Lora = Lora,
            FullShare = Recipe.Anchors?.FullShare ?? 0,
            Seed = Recipe.Seed,
        });
    }

    private static int StopOf(Tokenizer tokenizer, string source) => tokenizer.IdOf(".")
        ?? throw new InvalidInputException(source, "anchors.init", "the vocabulary has no token for a full stop: leave it at mean");

    // What the recipe leaves open follows from the tokenizer and the longest context.
    private static ModelConfig Described(Recipe recipe, string source, Tokenizer tokenizer)
    {
        Dictionary<string, JsonNode?> more = new()
        {
            ["vocab_size"] = tokenizer.VocabularySize,
            ["bos_token_id"] = tokenizer.BosId,
            ["eos_token_id"] = tokenizer.EosId,
        };
        if (recipe.Model!.Base is null)
            more["max_position_embeddings"] = recipe.TrainingStages().Max(stage => stage.Data.ContextLength);
        ModelConfig config = recipe.Model.Describe(source, more);
        if (tokenizer.VocabularySize > config.VocabSize)
            throw new InvalidInputException(source, "model.vocab_size", string.Create(CultureInfo.InvariantCulture, $"{config.VocabSize} does not hold the tokenizer's {tokenizer.VocabularySize} entries: leave vocab_size out, or name a larger one"));
        return config;
    }

    private static ModelConfig Continued(ModelConfig config, Recipe recipe, string source, Tokenizer tokenizer) => tokenizer.VocabularySize <= config.VocabSize
        ? config
        : throw new InvalidInputException(source, "tokenizer", $"has {tokenizer.VocabularySize} entries, the vocabulary of {recipe.InitFrom} {config.VocabSize}: use the model's own tokenizer");

    private void CheckLora()
    {
        HashSet<string> modules = [.. ParameterList.Of(Config).Where(p => p.Layer >= 0 && p.Kind == "weight" && p.Shape.Length == 2).Select(p => p.Module)];
        if (Lora?.Modules.FirstOrDefault(module => !modules.Contains(module)) is { } unknown)
            throw new InvalidInputException(Source, "lora.modules", $"this model has no '{unknown}'; it has {string.Join(", ", modules.Order())}");
    }
}
