using System.Diagnostics;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Trains a recipe's model from its first step or from a checkpoint on. Every step follows from the recipe and the state of the
/// step before it alone, so a run that was interrupted anywhere ends with the same weights, byte for byte.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingSetup _setup;
    private readonly RunFolder _folder;
    private readonly TrainingEvents _events;
    private readonly TrainingData _data;
    private readonly TrainingParameters _parameters;
    private readonly TrainingParameters? _teacher;
    private readonly RunModel _model;
    private readonly Optimizer _optimizer;
    private readonly TrainingStep _step;
    private readonly RoundedWeights? _rounded;
    private readonly LearningTeacher? _learning;
    private readonly TeacherCache? _cache;
    private readonly DataLoader _loader;
    private readonly Validator _validator;
    private readonly StagedLearningRate _rate;
    private readonly LossWatchdog _watchdog;
    private readonly double _peak;
    private DecoderTape? _tape;
    private int _stage = -1;
    private long _done, _saved = -1;
    private double _seconds;
    private (long Step, double Loss)? _best;

    private Trainer(TrainingSetup setup, RunFolder folder, Checkpoint? from, TrainingEvents events, CancellationToken stop)
    {
        (_setup, _folder, _events) = (setup, folder, events);
        Recipe recipe = setup.Recipe;
        MemoryNeed need = NeedOf(setup);
        events.Note?.Invoke(Describe(setup, need));
        need.Check(setup.Source);
        _data = TrainingData.Build(recipe, setup.Source, setup.Tokenizer, setup.Config.Anchors, events, stop);
        _parameters = new TrainingParameters(setup.Parameters, setup.Trains);
        _teacher = setup.Teacher?.Load();
        _cache = recipe.Distill is { Cache: { } path, TopK: var top } ? TeacherCache.Open(path, _teacher!, setup.Stages[0].Data.ContextLength, Math.Min(top, setup.Config.VocabSize)) : null;
        _model = new RunModel(setup, _parameters, _data.TurnEnd(setup.Tokenizer));
        _optimizer = setup.CreateOptimizer(_parameters);
        _learning = setup.Learning(_teacher);
        _rounded = setup.RoundTo is { } mix ? new RoundedWeights(_parameters, setup.Config, mix) : null;
        _step = new TrainingStep(_parameters, _optimizer, recipe.Optimizer.Clip, rounded: _rounded, teacher: _learning);
        _validator = new Validator(_data.Sources, recipe, setup.Tokenizer, setup.Config.Anchors?.AddedId);
        _rate = recipe.LearningRateFactor();
        _watchdog = new LossWatchdog(recipe.Watchdog, from?.State.Watchdog ?? new WatchdogState(null, null, 0));
        DataLoaderOptions options = recipe.DataLoaderOptions();
        try
        {
            _loader = new DataLoader(_data.Sources, from is null ? options : options with { PieceLength = from.State.Data.PieceLength }, from?.State.Data);
        }
        catch (InvalidInputException e) when (from is not null)
        {
            throw e.From(from.Path);
        }

        Fill(from);
        _peak = MachinePeak.Best(5);
        if (_validator.Tokens == 0 && recipe.Validation.Tokens > 0)
            events.Note?.Invoke("no document is held out, so nothing is validated: raise held_out, or give more documents");
    }

    /// <summary>The parameters, gradients and so on that a recipe's run needs, found without taking them.</summary>
    internal static MemoryNeed NeedOf(TrainingSetup setup)
    {
        TrainingParameters shadow = new(setup.Parameters, setup.Trains, shadow: true);
        TrainingParameters? teacher = setup.Teacher?.Shadow();
        long activations = Enumerable.Range(0, setup.Stages.Count).Max(stage => setup.CreateTape(stage, shadow, teacher).ByteLength);
        // The exact weights beside the rounded ones.
        long exact = setup.RoundTo is null ? 0 : shadow.Values.ByteLength;
        return new MemoryNeed(
            shadow.Values.ByteLength + exact + (teacher?.Values.ByteLength ?? 0), shadow.Gradients.ByteLength + (teacher?.Gradients.ByteLength ?? 0),
            Optimizer.BytesOf(shadow, setup.Rate) + (teacher is null ? 0 : Optimizer.BytesOf(teacher, setup.Rate)), activations);
    }

    /// <summary>One line on what is going to be trained.</summary>
    internal static string Describe(TrainingSetup setup, MemoryNeed need) => FormattableString.Invariant(
        $"model: {setup.Config.ParameterCount} parameters ({setup.Config.NonEmbeddingParameterCount} without embeddings){Trained(setup)}; memory: {need.Total / 1e6:0} MB ({need.Parameters / 1e6:0} parameters, {need.Gradients / 1e6:0} gradients, {need.Optimizer / 1e6:0} optimizer, {need.Activations / 1e6:0} activations)");

    private static string Trained(TrainingSetup setup) =>
        setup.Lora is null ? "" : FormattableString.Invariant($", and {setup.Parameters.Where(setup.Trains).Sum(p => p.Count)} of adapters, which alone are trained");

    /// <summary>Begins a run.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="source">Its file, for messages.</param>
    /// <param name="events">Told what happens.</param>
    /// <param name="stop">Stops reading and tokenising; a run itself stops by <see cref="Run"/>'s.</param>
    /// <exception cref="InvalidInputException">The recipe cannot be honoured, or its folder holds a run.</exception>
    public static Trainer Start(Recipe recipe, string source, TrainingEvents events, CancellationToken stop = default)
    {
        if (RunFolder.Exists(recipe.Output))
            throw new InvalidInputException(recipe.Output, "run", "a run is here already: --resume auto goes on with it, --set output=... begins another");
        return Open(recipe, source, null, events, stop);
    }

    /// <summary>Goes on with a run from its newest checkpoint that is whole, or from its beginning where none is.</summary>
    /// <param name="recipe">The recipe, which must be that of the run but for what was changed on purpose.</param>
    /// <param name="source">Its file, for messages.</param>
    /// <param name="events">Told what happens.</param>
    /// <param name="stop">Stops reading and tokenising.</param>
    /// <exception cref="InvalidInputException">The recipe or the run cannot be used.</exception>
    public static Trainer Resume(Recipe recipe, string source, TrainingEvents events, CancellationToken stop = default) =>
        Open(recipe, source, null, events, stop);

    /// <summary>
    /// Begins a run at a checkpoint of another, with a recipe of its own. The branch keeps a copy of it, so that it can begin anew
    /// whatever becomes of the other run.
    /// </summary>
    /// <param name="recipe">The branch's recipe; its output must be new.</param>
    /// <param name="source">Its file, for messages.</param>
    /// <param name="from">The checkpoint.</param>
    /// <param name="tokenizer">The tokenizer trained for the other run, or null.</param>
    /// <param name="events">Told what happens.</param>
    /// <param name="stop">Stops reading and tokenising.</param>
    /// <exception cref="InvalidInputException">The recipe cannot be honoured, or its folder holds a run.</exception>
    public static Trainer Branch(Recipe recipe, string source, Checkpoint from, string? tokenizer, TrainingEvents events, CancellationToken stop = default)
    {
        if (RunFolder.Exists(recipe.Output))
            throw new InvalidInputException(recipe.Output, "run", "a run is here already: --resume goes on with it, --set output=... begins another");
        return Open(recipe, source, (from, tokenizer), events, stop);
    }

    private static Trainer Open(Recipe recipe, string source, (Checkpoint From, string? Tokenizer)? branch, TrainingEvents events, CancellationToken stop)
    {
        RunFolder folder = RunFolder.Begin(recipe.Output);
        try
        {
            if (branch is null && !RunFolder.Exists(folder.Path) && folder.Checkpoints().Count > 0)
                throw new InvalidInputException(folder.Path, "recipe.yaml", "is missing, and checkpoints of a run are here: restore it, or name another output");
            string? trained = branch is null ? RunFolder.TrainedTokenizer(folder.Path) : branch.Value.Tokenizer;
            TrainingSetup setup = TrainingSetup.Resolve(recipe, source, trained, folder.TokenizerPath, events, stop);
            Checkpoint? from = branch is null ? folder.Newest(line => events.Note?.Invoke(line)) : branch.Value.From;
            Trainer trainer = new(setup, folder, from, events, stop);
            if (branch is not null)
            {
                branch.Value.From.CopyTo(folder.CheckpointPath(branch.Value.From.Step));
                if (trained is not null)
                    AtomicFolder.Write(folder.TokenizerPath, Tokenizer.Load(trained).Save);
            }

            // Comes last: a folder with a recipe holds a run that has begun.
            folder.WriteRecipe(recipe);
            return trainer;
        }
        catch
        {
            folder.Abandon();
            throw;
        }
    }

    /// <summary>Steps done.</summary>
    public long Done => _done;

    /// <summary>Trains to the end. A request to stop is honoured after the step at hand, with a checkpoint.</summary>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="InvalidInputException">The loss went astray, or the disk is full.</exception>
    public void Run(CancellationToken stop = default)
    {
        Recipe recipe = _setup.Recipe;
        long steps = recipe.TotalSteps;
        using MetricsLog log = new(_folder.MetricsPath, _done);
        int[] tokens = new int[recipe.TokensPerStep], targets = new int[tokens.Length], starts = new int[tokens.Length];
        long began = _done;
        Stopwatch watch = Stopwatch.StartNew();
        double before = _seconds;
        while (_done < steps)
        {
            if (stop.IsCancellationRequested)
            {
                if (_saved != _done)
                    Save();
                stop.ThrowIfCancellationRequested();
            }

            EnterStage();
            long at = Stopwatch.GetTimestamp();
            _loader.Next(tokens, targets, starts);
            double multiplier = _rate.At(_done + 1), rate = recipe.Optimizer.LearningRate * multiplier;
            StepResult result = _step.Run(_tape!, tokens, targets, starts, rate, _done + 1);
            _done++;
            _seconds = before + watch.Elapsed.TotalSeconds;
            double pace = tokens.Length / Stopwatch.GetElapsedTime(at).TotalSeconds;
            StepMetrics metrics = new(
                _done, steps, _loader.Tokens, result.Loss, rate, multiplier, result.GradientNorm, pace, _setup.OperationsPerParameter * _setup.Config.ParameterCount * pace / _peak,
                _seconds, watch.Elapsed.TotalSeconds / (_done - began) * (steps - _done), _stage);
            log.Write(json => RunMetrics.Write(json, metrics, result));
            _events.Step?.Invoke(metrics);
            if (result.Targets > 0 && _watchdog.Check(result.Loss, result.GradientNorm) is { } wrong)
            {
                log.Write(json => RunMetrics.WriteStop(json, _done, wrong));
                throw new InvalidInputException(_folder.Path, $"step {_done}", wrong);
            }

            Due(log);
        }

        // A run that was at its end already has entered none.
        EnterStage();
        ModelWriter.Write(CurrentModel(), _folder.ModelPath, TensorType.F32);
        WriteAdapter();
        log.Write(json => RunMetrics.WriteEnd(json, _done, _seconds));
        _events.Note?.Invoke($"the model is in {_folder.ModelPath}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape?.Dispose();
        _cache?.Dispose();
        _data.Dispose();
        _folder.End();
    }

    private bool IsDue(long every) => _done == _setup.Recipe.TotalSteps || (every > 0 && _done % every == 0);

    private void Due(MetricsLog log)
    {
        Recipe recipe = _setup.Recipe;
        if (_validator.Tokens > 0 && IsDue(recipe.Validation.Every))
        {
            _rounded?.Round();
            ValidationMetrics metrics = _validator.Measure(_tape!, _setup.Stages[_stage].Data.ContextLength, _done, CancellationToken.None);
            _rounded?.Restore();
            log.Write(json => RunMetrics.Write(json, metrics));
            _events.Validation?.Invoke(metrics);
            if (_best is not { } best || metrics.Loss < best.Loss)
                _best = (_done, metrics.Loss);
        }

        if (IsDue(recipe.Samples.Every))
        {
            foreach (string prompt in recipe.Samples.Prompts)
            {
                string text = _model.Sample(CurrentModel(), prompt);
                log.Write(json => RunMetrics.WriteSample(json, _done, prompt, text));
                _events.Sample?.Invoke(prompt, text);
            }
        }

        // The best one is kept, so it must be there: a measurement that beats all others saves its step.
        if (IsDue(recipe.Checkpoint.Every) || (recipe.Checkpoint.Best && _best?.Step == _done))
            Save();
    }

    private void Save()
    {
        string path = _folder.CheckpointPath(_done);
        CheckpointState state = new(_done, _loader.Tokens, _seconds, _loader.Position, _watchdog.State, _best?.Step, _best?.Loss);
        Checkpoint.Write(path, CurrentModel(), State, state);
        _saved = _done;
        _folder.Thin(_setup.Recipe.Checkpoint.Keep, _setup.Recipe.Checkpoint.Best ? _best?.Step : null, _done);
    }

    // The stage of the step that follows so many.
    private int StageBehind(long done)
    {
        int stage = 0;
        while (stage + 1 < _setup.Stages.Count && _setup.Stages[stage + 1].FromStep <= done)
            stage++;
        return stage;
    }

    private void EnterStage()
    {
        int stage = StageBehind(_done);
        if (stage == _stage)
            return;
        if (_stage >= 0)
            _events.Note?.Invoke($"stage {stage} begins: context {_setup.Stages[stage].Data.ContextLength}");
        _stage = stage;
        // One stage's memory goes before the next one's is taken.
        _tape?.Dispose();
        _tape = _setup.CreateTape(stage, _parameters, _teacher, _cache);
    }

    private void Fill(Checkpoint? from)
    {
        if (from is null)
        {
            _model.Begin();
            return;
        }

        _model.Load(from);
        from.Load(State);
        CheckpointState state = from.State;
        (_done, _saved, _seconds) = (state.Step, state.Step, state.Seconds);
        _best = state.BestStep is { } step && state.BestLoss is { } loss ? (step, loss) : null;
        _events.Note?.Invoke($"goes on behind step {_done}, from {from.Path}");
    }

    // What a checkpoint keeps beside the model.
    private IEnumerable<(string Name, Tensor Tensor)> State => [.. _model.Beside, .. _optimizer.State, .. _learning?.State ?? []];

    private Model CurrentModel() => _model.As(_setup.ConfigOf(StageBehind(Math.Max(_done - 1, 0))), _folder.ModelPath);

    private void WriteAdapter()
    {
        if (_setup.Lora is null)
            return;
        if (_setup.ConfigOf(_stage) != _setup.Config)
        {
            _events.Note?.Invoke("no adapter is written beside the model: a stage changed rope_theta, which an adapter cannot say");
            return;
        }

        _model.WriteAdapter(_folder.AdapterPath);
        _events.Note?.Invoke($"the adapter alone is in {_folder.AdapterPath}");
    }
}
