using System.Diagnostics;
using Skiff.Tests.Training;
using Skiff.Training;

namespace Skiff.Tests.EndToEnd;

/// <summary>SIGKILL at random moments: it cannot be caught, and leaves whatever was being written as it is.</summary>
public sealed class TrainKillTests
{
    private const int Kills = 20, LongestWait = 30_000;

    private static readonly string[] s_long =
    [
        "steps=180", "optimizer.name=muon", "checkpoint={every: 4, keep: 2}", "validation.every=25", "samples.every=80", "--resume", "auto",
        "stages=[{from: 2K, context_length: 32, mixture: {a: 1, b: 3}, rope_theta: 500}, {from: decay, mixture: {a: 2, b: 1}}]",
    ];

    private readonly Random _random = new(7);

    [Fact]
    public async Task ARunThatIsKilledTwentyTimesEndsAsTheUndisturbedOne()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "SIGKILL is Unix's");
        using TinyRun runs = new();
        int startup = await Whole(runs, s_long);
        string run = runs.Run("killed"), metrics = Path.Combine(run, MetricsReader.FileName);
        int kills = 0, inCheckpoint = 0, late = 0;
        // A few more where none has met a checkpoint that was being written.
        while (kills < Kills || (inCheckpoint == 0 && kills < 2 * Kills))
        {
            long length = Length(metrics), newest = Newest(run);
            using Process child = SkiffProcess.Start(runs.Arguments("killed", s_long), out Task<string> error);
            // A checkpoint comes every four steps.
            long later = newest + 4 * _random.Next(1, 6);
            int moment = late > 0 ? 0 : kills % 4;
            switch (moment)
            {
                case 0:
                    Pause(child, _random.Next(startup >> late));
                    break;
                case 1:
                    Wait(child, () => Length(metrics) > length);
                    Pause(child, _random.Next(60));
                    break;
                case 2:
                    Wait(child, () => Newest(run) >= later && Temporaries(run).Length > 0);
                    break;
                default:
                    Wait(child, () => Newest(run) >= later);
                    Pause(child, _random.Next(30));
                    break;
            }

            if (await Kill(child, error))
                kills++;
            else
                Assert.True(++late < 5, $"the run ended before it was killed {Kills} times, {kills} times so far");
            // Before it has begun, it might be what the kill before has left.
            inCheckpoint += moment > 0 && Temporaries(run).Length > 0 ? 1 : 0;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{kills} kills, {inCheckpoint} of them in a checkpoint that was being written, {late} behind the end, the last at step {Newest(run)}");
        Assert.True(inCheckpoint > 0, "no kill met a checkpoint that was being written");
        (int code, string told) = await SkiffProcess.Run(runs.Arguments("killed", s_long));
        Assert.True(code == 0, told);
        runs.AssertSame("whole", "killed");
        Assert.Empty(Temporaries(run));
    }

    // While the tokenizer is trained and the corpora are read, before there is a run to go on with.
    [Fact]
    public async Task ARunThatIsKilledWhileItBeginsBeginsAgain()
    {
        string[] sets = ["steps=6", "--resume", "auto"];
        Assert.SkipWhen(OperatingSystem.IsWindows(), "SIGKILL is Unix's");
        using TinyRun runs = new(documents: 2000);
        int startup = await Whole(runs, sets);
        // In a place of its own, so that nothing is tokenised yet.
        string run = runs.Run("apart/killed"), tokens = runs.Run("apart/tokens");
        for (int kills = 0; kills < 12; kills++)
        {
            using Process child = SkiffProcess.Start(runs.Arguments("apart/killed", sets), out Task<string> error);
            switch (kills % 6)
            {
                case 0:
                    Wait(child, () => File.Exists(Path.Combine(run, ".lock")));
                    Pause(child, _random.Next(60));
                    break;
                case 1:
                    Wait(child, () => Temporaries(run).Length > 0 || Directory.Exists(Path.Combine(run, "tokenizer")));
                    break;
                case 2:
                    Wait(child, () => Directory.Exists(tokens) && Directory.EnumerateFiles(tokens, "*.tokens*", SearchOption.AllDirectories).Any());
                    break;
                case 3:
                    Wait(child, () => Directory.Exists(tokens) && Directory.EnumerateFiles(tokens, "shard-*.tokens", SearchOption.AllDirectories).Count() == 2);
                    Pause(child, _random.Next(20));
                    break;
                case 4:
                    Wait(child, () => RunFolder.Exists(run));
                    break;
                default:
                    Pause(child, _random.Next(startup));
                    break;
            }

            await Kill(child, error);
            // What a kill leaves is there for the next, until a run has begun.
            if (RunFolder.Exists(run))
                Directory.Delete(runs.Run("apart"), recursive: true);
        }

        (int code, string told) = await SkiffProcess.Run(runs.Arguments("apart/killed", sets));
        Assert.True(code == 0, told);
        runs.AssertSame("whole", "apart/killed");
        Assert.Empty(Temporaries(run));
        Assert.Empty(Directory.EnumerateFiles(tokens, "*.tmp", SearchOption.AllDirectories));
    }

    // A branch that is killed before a checkpoint of its own begins anew where it branched off, not at random weights.
    [Fact]
    public async Task ABranchThatIsKilledAtOnceEndsAsTheUndisturbedOne()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "SIGKILL is Unix's");
        using TinyRun runs = new();
        runs.Train(runs.Recipe("tiny", "steps=40", "checkpoint={every: 4, keep: 9}"), stopBehind: 9);
        string[] branch = ["train", "--branch", runs.Run("tiny"), "--decay-at", "8", "--decay-steps", "12", "--set", "checkpoint.every=0", "--set", $"output={runs.Run("whole")}"];
        (int code, string error) = await SkiffProcess.Run(branch);
        Assert.True(code == 0, error);
        branch[^1] = $"output={runs.Run("killed")}";
        using (Process child = SkiffProcess.Start(branch, out Task<string> told))
        {
            Wait(child, () => Length(Path.Combine(runs.Run("killed"), MetricsReader.FileName)) > 0);
            Assert.True(await Kill(child, told), "the branch ended before it was killed");
        }

        Directory.Delete(runs.Run("tiny"), recursive: true);
        (code, error) = await SkiffProcess.Run(["train", "--resume", runs.Run("killed")]);
        Assert.True(code == 0, error);
        Assert.Contains("goes on behind step 8", error);
        runs.AssertSame("whole", "killed");
    }

    // The undisturbed run, and the milliseconds until its first step.
    private static async Task<int> Whole(TinyRun runs, string[] sets)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using Process child = SkiffProcess.Start(runs.Arguments("whole", sets), out Task<string> error);
        Wait(child, () => Length(Path.Combine(runs.Run("whole"), MetricsReader.FileName)) > 0);
        int startup = (int)watch.ElapsedMilliseconds;
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0, await error);
        return startup;
    }

    private static void Wait(Process child, Func<bool> condition)
    {
        for (Stopwatch watch = Stopwatch.StartNew(); !child.HasExited && watch.ElapsedMilliseconds < LongestWait; Thread.Sleep(1))
        {
            try
            {
                if (condition())
                    return;
            }
            catch (DirectoryNotFoundException)
            {
                // What is looked at may go while it is looked at.
            }
        }
    }

    private static void Pause(Process child, int milliseconds) => child.WaitForExit(milliseconds);

    // False where it had ended; then it must have ended well.
    private static async Task<bool> Kill(Process child, Task<string> error)
    {
        child.Kill();
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode is 0 or 137, $"code {child.ExitCode}: {await error}");
        return child.ExitCode == 137;
    }

    private static long Length(string file) => File.Exists(file) ? new FileInfo(file).Length : 0;

    private static long Newest(string run) => !Directory.Exists(run) ? -1
        : Directory.EnumerateDirectories(run, "step-*").Select(folder => long.Parse(Path.GetFileName(folder)["step-".Length..], System.Globalization.CultureInfo.InvariantCulture)).DefaultIfEmpty(-1).Max();

    private static string[] Temporaries(string run) => Directory.Exists(run) ? Directory.GetFileSystemEntries(run, ".*.tmp") : [];
}
