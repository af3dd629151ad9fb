using Skiff.Tests.Training;

namespace Skiff.Tests.EndToEnd;

public sealed class TrainExactnessTests
{
    // Large enough that every kind of kernel has several parts to share.
    private static readonly string[] s_shape =
        ["model.hidden_size=64", "model.intermediate_size=96", "batch_size=8", "micro_batch_size=4", "context_length=32", "steps=8"];

    public static TheoryData<string[]> Recipes => new()
    {
        { [] },
        { ["optimizer.name=muon", "model.model_type=mixtral", "model.num_key_value_heads=2", "model.num_local_experts=4", "model.num_experts_per_tok=2", "parametrization.form=mup"] },
    };

    [Theory]
    [MemberData(nameof(Recipes))]
    public async Task ThreadsRepetitionAndRecomputationChangeNoBit(string[] sets)
    {
        using TinyRun runs = new();
        await Train("first", "1");
        foreach ((string run, string threads, string[] more) in ((string, string, string[])[])[
            ("again", "1", []), ("three", "3", []), ("recomputed", "1", ["recompute=true"]), ("recomputed-three", "3", ["recompute=true"])])
        {
            await Train(run, threads, more);
            runs.AssertSame("first", run);
        }

        async Task Train(string run, string threads, params string[] more)
        {
            (int code, string error) = await SkiffProcess.Run(runs.Arguments(run, [.. s_shape, .. sets, .. more]), ("SKIFF_THREADS", threads));
            Assert.True(code == 0, error);
            Assert.Equal(8, runs.Metrics(run).Count(line => line.Contains("\"loss\":")));
        }
    }
}
