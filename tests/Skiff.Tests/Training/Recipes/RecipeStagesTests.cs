using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training.Recipes;

public sealed class RecipeStagesTests
{
    private const string TwoStages =
        """
        model: {base: zoo:smollm2-135m}
        tokenizer: {vocab_size: 4096}
        data: [{name: web, files: w, weight: 1}, {name: chat, files: c, weight: 0}]
        context_length: 256
        batch_size: 8
        micro_batch_size: 4
        steps: 1000
        schedule: {warmup_steps: 10, decay_steps: 100, decay: linear}
        stages:
          - {from: 1000000, context_length: 512, rope_theta: 50000}
          - {from: decay, mixture: {web: 1, chat: 2}, learning_rate_scale: 0.5}
          - {from: 2000000, learning_rate_scale: 0.25}
        """;

    [Fact]
    public void StagesAreResolved()
    {
        IReadOnlyList<TrainingStage> stages = Recipes.Parse(TwoStages).TrainingStages();
        // 1,000,000 tokens are 488.3 steps of 2,048; a stage begins with a whole one.
        Assert.Equal([0, 489, 900, 977], stages.Select(stage => stage.FromStep));
        Assert.Equal([0, 489 * 2048, 900 * 2048, 977 * 2048], stages.Select(stage => stage.Data.From));
        Assert.Equal([256, 512, 512, 512], stages.Select(stage => stage.Data.ContextLength));
        Assert.Equal([8, 4, 4, 4], stages.Select(stage => stage.BatchSize));
        Assert.Equal([4, 2, 2, 2], stages.Select(stage => stage.MicroBatchSize));
        Assert.Equal([null, 50_000, 50_000, 50_000], stages.Select(stage => stage.RopeTheta));
        Assert.Equal([1, 1, 0.5, 0.25], stages.Select(stage => stage.LearningRateScale));
        Dictionary<string, double> before = new() { ["web"] = 1, ["chat"] = 0 }, after = new() { ["web"] = 1, ["chat"] = 2 };
        Assert.Equal([before, before, after, after], stages.Select(stage => stage.Data.Weights));
    }

    [Fact]
    public void TheLoaderIsAskedForWhatTheRecipeSays()
    {
        DataLoaderOptions options = Recipes.Parse(TwoStages, "seed=5", "held_out=0.1").DataLoaderOptions();
        Assert.Equal((5, 0.1, DataSplit.Training), (options.Seed, options.HeldOutShare, options.Split));
        Assert.Equal([0, 489 * 2048, 900 * 2048, 977 * 2048], options.Stages.Select(stage => stage.From));
        Assert.Empty(Assert.Single(Recipes.Parse(Recipes.Least).DataLoaderOptions().Stages).Weights);
    }

    [Fact]
    public void TheRateIsThatOfScheduleAndStage()
    {
        StagedLearningRate rate = Recipes.Parse(TwoStages).LearningRateFactor();
        // Step 900 still belongs to the stable part, step 901 is the decay's first; 977 steps are done before step 978.
        (long Step, double Factor)[] expected = [(0, 0), (1, 0.1), (10, 1), (489, 1), (900, 1), (901, 0.5 * 0.99), (950, 0.25), (977, 0.5 * 0.23), (978, 0.25 * 0.22), (1000, 0)];
        foreach ((long step, double factor) in expected)
            Assert.Equal(factor, rate.At(step), 12);
    }

    [Fact]
    public void LengthsAndSchedulesAreDerived()
    {
        Recipe recipe = Recipes.Parse(Recipes.Whole);
        Assert.Equal((8192, 2442), (recipe.TokensPerStep, recipe.TotalSteps));
        Assert.Equal(
            new LearningRateOptions { WarmupSteps = 12, TotalSteps = 2442, DecaySteps = 200, Decay = DecayForm.Exponential, HalfLife = 300, Floor = 0.1 }, recipe.LearningRateOptions());
        Assert.Equal(1, Recipes.Parse(Recipes.Least, "steps=null", "tokens=1").TotalSteps);
        Assert.Equal(1, Recipes.Parse(Recipes.Least, "steps=null", "tokens=8192").TotalSteps);
        Assert.Equal(2, Recipes.Parse(Recipes.Least, "steps=null", "tokens=8193").TotalSteps);
        Assert.Equal((1_500, 2_000_000_000), Recipes.Parse(Recipes.Least, "steps=1.5K", "seed=2B") is var r ? (r.TotalSteps, r.Seed) : default);
    }

    [Fact]
    public void AStageMayHaveAScheduleOfItsOwn()
    {
        // 1,000 steps of 8,192 tokens; the last 400 warm up again and fall in a line.
        Recipe recipe = Recipes.Parse(Recipes.Least, "schedule={form: constant, warmup_steps: 10}", "stages=[{from: 4915200, schedule: {form: linear, warmup_steps: 100}}]");
        StagedLearningRate rate = recipe.LearningRateFactor();
        (long Step, double Factor)[] expected = [(5, 0.5), (10, 1), (600, 1), (601, 0.01), (650, 0.5), (700, 1), (850, 0.5), (1000, 0)];
        foreach ((long step, double factor) in expected)
            Assert.Equal(factor, rate.At(step), 12);
        Assert.Equal(recipe.ToYaml(), Recipes.Parse(recipe.ToYaml()).ToYaml());
    }

    [Theory]
    [InlineData("stages=[{from: 4M, schedule: {form: wsd, decay_steps: 600}}]", "stages.0.schedule.decay_steps")]
    [InlineData("stages=[{from: 4M, schedule: {form: linear, decay: 5}}]", "stages.0.schedule.decay")]
    [InlineData("stages=[{from: 4M, schedule: {form: constant}}, {from: decay, rope_theta: 5}]", "stages.1.from")]
    public void AScheduleThatDoesNotFitAStageIsRefused(string set, string key) =>
        Assert.Equal(key, Assert.Throws<InvalidInputException>(() => Recipes.Parse(Recipes.Least, set)).Field);

    [Fact]
    public void ABranchWhereAStageHasItsOwnScheduleIsRefused()
    {
        Recipe run = Recipes.Parse(Recipes.Least, "stages=[{from: 4M, schedule: {form: constant}}]");
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(600)).Field);
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(400, 100)).Field);
        Assert.Equal(480, run.DecayAt(400, 80).TotalSteps);
    }

    [Fact]
    public void ABranchMovesTheDecayAndItsStage()
    {
        Recipe run = Recipes.Parse(TwoStages), branch = run.DecayAt(600);
        Assert.Equal((null, 700, 100, 10), (branch.Tokens, branch.Steps, branch.Schedule.DecaySteps, branch.Schedule.WarmupSteps));
        Assert.Equal([0, 489, 600], branch.TrainingStages().Select(stage => stage.FromStep));
        StagedLearningRate was = run.LearningRateFactor(), now = branch.LearningRateFactor();
        for (long step = 0; step <= 600; step++)
            Assert.Equal(was.At(step), now.At(step));
        Assert.Equal(0.5 * 0.5, now.At(650), 12);
        Assert.Equal(0, now.At(700));
        Assert.Equal(branch.ToYaml(), Recipes.Parse(branch.ToYaml()).ToYaml());
    }

    [Fact]
    public void ABranchWhereTheRunDecaysIsTheRun() =>
        Assert.Equal(Recipes.Parse(TwoStages).ToYaml(), Recipes.Parse(TwoStages).DecayAt(900).ToYaml());

    [Fact]
    public void ABranchLeavesOutWhatItDoesNotComeTo()
    {
        Recipe run = Recipes.Parse(TwoStages);
        // The longer context begins at step 489.
        Assert.Equal([0, 400], run.DecayAt(400).TrainingStages().Select(stage => stage.FromStep));
        Assert.Equal([0, 489], run.DecayAt(489).TrainingStages().Select(stage => stage.FromStep));
        Assert.Equal([0, 400, 977], run.DecayAt(400, 1000).TrainingStages().Select(stage => stage.FromStep));
        Assert.Equal(1400, run.DecayAt(400, 1000).TotalSteps);
    }

    [Fact]
    public void ABranchOutsideTheStablePartIsRefused()
    {
        Recipe run = Recipes.Parse(TwoStages);
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(5)).Field);
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(901)).Field);
        Assert.Equal("decay steps", Assert.Throws<InvalidInputException>(() => run.DecayAt(500, 0)).Field);
        Assert.Equal("decay steps", Assert.Throws<InvalidInputException>(() => run.DecayAt(500, long.MaxValue)).Field);
        Assert.Equal("form", Assert.Throws<InvalidInputException>(() => Recipes.Parse(Recipes.Tuning).DecayAt(50)).Field);
    }

    [Fact]
    public void SetsReachEveryPlace()
    {
        Recipe recipe = Recipes.Parse(
            TwoStages, "optimizer.learning_rate=0.01", "data.0.weight=2", "model.rope_scaling.factor=2", "lora=null", "stages.2=null", "stages.2={from: 2M, rope_theta: 7}",
            "optimizer.groups.0.match='*.bias'", "stages.1.mixture.chat=5", "output=a=b", "tokenizer=tok.json", "data.2.files=[x, y]", "data.2.weight=1");
        Assert.Equal((0.01, 2.0, "a=b", "tok.json"), (recipe.Optimizer.LearningRate, recipe.Data[0].Weight, recipe.Output, recipe.Tokenizer!.Path));
        Assert.Equal("""{"rope_scaling":{"factor":2}}""", recipe.Model!.Keys.ToJsonString());
        Assert.Equal((7.0, "*.bias", 5.0), (recipe.Stages[2].RopeTheta, recipe.Optimizer.Groups[0].Match, recipe.Stages[1].Mixture!["chat"]));
        Assert.Equal(["x", "y"], recipe.Data[2].Files);
    }
}
