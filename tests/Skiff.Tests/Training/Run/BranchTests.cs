using System.Security.Cryptography;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class BranchTests
{
    [Fact]
    public void ABranchWhereTheRunItselfDecaysEndsAsTheRun()
    {
        using TinyRun runs = new();
        Recipe recipe = runs.Recipe("run", "steps=14", "schedule.decay_steps=4", "checkpoint={every: 5, keep: 9}", "stages=[{from: decay, mixture: {a: 1, b: 3}, rope_theta: 700}]");
        runs.Train(recipe);
        string before = Fingerprint(runs.Run("run"));
        runs.Branch(recipe.DecayAt(10) with { Output = runs.Run("branch") }, "run", 10);
        Assert.True(runs.Weights("run").AsSpan().SequenceEqual(runs.Weights("branch")));
        // The branch tells its own steps only.
        Assert.Equal(runs.Metrics("run")[^runs.Metrics("branch").Length..], runs.Metrics("branch"));
        Assert.StartsWith("{\"step\":11,", runs.Metrics("branch")[0]);
        Assert.Equal(before, Fingerprint(runs.Run("run")));
    }

    [Fact]
    public void ABranchThatLosesItsFirstStepsBeginsAnewWhereItBranchedOffEvenWithoutTheRun()
    {
        using TinyRun runs = new();
        Recipe recipe = runs.Recipe("run", "steps=20", "checkpoint={every: 4, keep: 9}");
        runs.Train(recipe, stopBehind: 9);
        Recipe branch = recipe.DecayAt(8, 4) with { Output = runs.Run("whole") }, killed = branch with { Output = runs.Run("killed") };
        runs.Branch(branch, "run", 8);

        // As where it is killed before its first own checkpoint.
        runs.Branch(killed, "run", 8, stopBehind: 9);
        Directory.Delete(Path.Combine(runs.Run("killed"), "step-000009"), recursive: true);
        Directory.Delete(runs.Run("run"), recursive: true);
        List<string> notes = runs.Train(killed, resume: true);
        Assert.Contains(notes, note => note.Contains("goes on behind step 8"));
        runs.AssertSame("whole", "killed");
    }

    [Fact]
    public void BranchesOfOneRunDoNotDisturbEachOther()
    {
        using TinyRun runs = new();
        Recipe recipe = runs.Recipe("run", "steps=20", "checkpoint={every: 3, keep: 9}");
        runs.Train(recipe, stopBehind: 10);
        string before = Fingerprint(runs.Run("run"));
        foreach (long step in (long[])[3, 6, 9])
        {
            string name = FormattableString.Invariant($"branch-{step}");
            runs.Branch(recipe.DecayAt(step, 3) with { Output = runs.Run(name) }, "run", step);
            Assert.Equal(step + 3, RunFolder.Open(runs.Run(name)).Checkpoints()[^1]);
        }

        Assert.Equal(before, Fingerprint(runs.Run("run")));
        // The run goes on as if there were none.
        runs.Train(recipe, resume: true);
        runs.Train(runs.Recipe("whole", "steps=20", "checkpoint={every: 3, keep: 9}"));
        runs.AssertSame("whole", "run");
    }

    // Every file of a folder with its bytes and time.
    private static string Fingerprint(string folder) => string.Join('\n', Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(file => $"{file} {File.GetLastWriteTimeUtc(file).Ticks} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))}"));
}
