using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class TrainingStepTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // Every family, so that every operation of the tape is among them.
    [Theory]
    [MemberData(nameof(Families))]
    public void AStepInSteadyStateAllocatesNothing(string name) => AssertNoAllocation(name, lora: null, muon: false, recompute: false);

    [Theory]
    [InlineData("llama", true, false, false)]
    [InlineData("llama", false, true, false)]
    [InlineData("llama", true, true, true)]
    [InlineData("mixtral", true, true, true)]
    [InlineData("minicpm3", true, false, true)]
    public void NorDoesOneWithAdaptersMuonOrRecomputation(string name, bool lora, bool muon, bool recompute) =>
        AssertNoAllocation(name, lora ? new LoraSettings(2, 4, ["query", "value", "query_b", "output"]) : null, muon, recompute);

    [Theory]
    [InlineData("llama")]
    [InlineData("gemma3_text")]
    public void NorDoesOneUnderTheSegmentRule(string name) => AssertNoAllocation(
        name, null, muon: false, recompute: false, new AnchorConfig { EndIds = [1, 2, 3], StopIds = [4], NotAfterIds = [5], AnchorsPerSegment = 2, MaxSegment = 7, Sinks = 1, LastVisible = 3 });

    // A gradient that is no number must not reach the weights.
    [Fact]
    public void AStepWithoutAFiniteLossLeavesTheParametersAsTheyWere()
    {
        using ThreadTeam alone = new(1);
        TrainingParameters parameters = Load("llama", null, out ModelConfig config);
        parameters["final_norm.weight"].Value.Floats()[0] = float.PositiveInfinity;
        float[] before = parameters.Values.Floats().ToArray();
        using DecoderTape tape = new(config, parameters, new DecoderTapeOptions { Batch = 1, Time = 8 }, alone);
        StepResult result = new TrainingStep(parameters, OptimizerOf(parameters, false, alone), 1, alone).Run(tape, new int[8], new int[8], new int[8], 0.01, 1);
        Assert.False(double.IsFinite(result.Loss) && double.IsFinite(result.GradientNorm));
        Assert.True(before.AsSpan().SequenceEqual(parameters.Values.Floats()));
    }

    private static void AssertNoAllocation(string name, LoraSettings? lora, bool muon, bool recompute, AnchorConfig? anchors = null)
    {
        const int Time = 24, Rows = 4;
        using ThreadTeam alone = new(1);
        TrainingParameters parameters = Load(name, lora, out ModelConfig config);
        DecoderTapeOptions options = new() { Batch = 2, Time = Time, Recompute = recompute, ExpertBalance = 0.01, RouterZ = 0.001, Lora = lora, FullShare = 0.5 };
        using DecoderTape tape = new(config with { Anchors = anchors }, parameters, options, alone);
        TrainingStep step = new(parameters, OptimizerOf(parameters, muon, alone), 1, alone);
        Random random = new(1);
        int[] tokens = new int[Rows * Time], targets = new int[tokens.Length], starts = new int[tokens.Length];
        for (int n = 0; n < tokens.Length; n++)
            (tokens[n], targets[n], starts[n]) = (random.Next(config.VocabSize), random.Next(-1, config.VocabSize), n % Time >= Time / 3 ? Time / 3 : 0);
        // The runtime may take something on a method's first uses; what a step takes, it takes every time.
        long taken = long.MaxValue;
        for (int i = 1; i <= 12; i += 3)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int j = 0; j < 3; j++)
                step.Run(tape, tokens, targets, starts, 1e-3, i + j);
            taken = Math.Min(taken, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(taken == 0, $"{name}: {taken} bytes in 3 steps");
    }

    private static TrainingParameters Load(string name, LoraSettings? lora, out ModelConfig config)
    {
        Model model = GoldenModel.Read(name).Open();
        config = model.Config;
        TrainingParameters parameters = new(
            ParameterList.Of(config).Concat(lora?.Parameters(config) ?? []), p => lora is null || p.Kind is LoraSettings.Down or LoraSettings.Up);
        parameters.Load(model.Parameter);
        foreach (TrainingParameter own in parameters.All.Where(own => own.Parameter.Kind is LoraSettings.Down or LoraSettings.Up))
            own.Value.Floats().Fill(0.01f);
        return parameters;
    }

    private static Optimizer OptimizerOf(TrainingParameters parameters, bool muon, ThreadTeam team) => new(
        parameters, p => new ParameterRate(1, 0.1, muon && p.Layer >= 0 && p.Shape.Length == 2 && p.Kind != "bias"), new AdamWSettings(), new MuonSettings(), team: team);
}
