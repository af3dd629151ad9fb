using System.Globalization;
using Skiff.Tests.Training;
using Skiff.Training;

namespace Skiff.Tests.EndToEnd;

/// <summary>A checkpoint for which there is no room.</summary>
public sealed class TrainDiskFullTests
{
    // A file that may not grow is a write that fails in the middle, as on a full disk; the signal that comes with it is ignored.
    // Its share of the optimizer's file, which is the largest: first the model's file fails, then the optimizer's.
    [Theory]
    [InlineData(0.3, "model.safetensors")]
    [InlineData(0.7, "optimizer.safetensors")]
    public async Task AWriteThatFailsLeavesTheCheckpointsThatAreThere(double share, string file)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "limits of a file's size are Unix's");
        using TinyRun runs = new();
        runs.Train(runs.Recipe("whole"));
        runs.Train(runs.Recipe("tiny"), stopBehind: 3);
        int limit = (int)(share * new FileInfo(Path.Combine(runs.Output, "step-000003", "optimizer.safetensors")).Length / 1024);
        string arguments = string.Join(' ', runs.Arguments("tiny", "--resume", "auto").Select(argument => $"'{argument}'"));
        // The runtime's own files in memory count too, where it keeps what it compiles twice.
        (int code, string error) = await SkiffProcess.Bash(
            string.Create(CultureInfo.InvariantCulture, $"trap '' XFSZ; ulimit -f {limit}; exec dotnet '{SkiffProcess.Assembly}' {arguments}"),
            ("DOTNET_EnableWriteXorExecute", "0"), ("DOTNET_EnableDiagnostics", "0"));
        AssertRefused(code, error, runs.Output, 4);
        // It failed where it should have: what is smaller than the limit is there no more either.
        long model = new FileInfo(Path.Combine(runs.Output, "step-000003", "model.safetensors")).Length;
        Assert.Equal(file == "model.safetensors", model > 1024L * limit);

        runs.Train(runs.Recipe("tiny"), resume: true);
        runs.AssertSame("whole", "tiny");
    }

    [Fact]
    public async Task AFullDiskEndsTheRunAndWithMoreRoomItGoesOn()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && (await SkiffProcess.Bash("unshare -rm true")).Code == 0, "mounting a small file system is not allowed here");
        using TinyRun runs = new();
        runs.Train(runs.Recipe("whole"));
        runs.Train(runs.Recipe("small/run"), stopBehind: 3);
        string small = runs.Run("small"), stash = runs.Run("stash"), report = runs.Run("report");
        long used = Directory.EnumerateFiles(small, "*", SearchOption.AllDirectories).Sum(file => (new FileInfo(file).Length + 4095) / 4096 * 4096);
        long room = new FileInfo(Path.Combine(small, "run", "step-000003", "optimizer.safetensors")).Length;
        string train = "dotnet '" + SkiffProcess.Assembly + "' " + string.Join(' ', runs.Arguments("small/run", "--resume", "auto").Select(argument => $"'{argument}'"));
        // The file system is the script's own and goes with it: what is there when the disk is full, and at the end, is copied out.
        string script = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            set -e
            mv '{small}' '{stash}' && mkdir '{small}'
            mount -t tmpfs -o size={(used + room + 65536) / 4096 * 4096} tmpfs '{small}'
            cp -a '{stash}/.' '{small}/'
            code=0; {train} || code=$?
            cp -a '{small}' '{report}'
            [ $code = 1 ] || exit $code
            mount -o remount,size=64m tmpfs '{small}'
            {train}
            rm -rf '{stash}' && cp -a '{small}' '{stash}'
            """);
        (int code, string error) = await SkiffProcess.Bash($"unshare -rm bash -c \"$SCRIPT\"", ("SCRIPT", script));
        Assert.True(code == 0, error);
        string[] refusal = [.. error.Split('\n').Where(line => line.StartsWith("skiff: ", StringComparison.Ordinal))];
        Assert.Contains("No space left on device", Assert.Single(refusal));
        AssertRefused(1, refusal[0], Path.Combine(small, "run"), 4, Path.Combine(report, "run"));
        Directory.Move(Path.Combine(stash, "run"), runs.Run("run"));
        runs.AssertSame("whole", "run");
    }

    private static void AssertRefused(int code, string error, string run, long step, string? at = null)
    {
        string path = RunFolder.Open(at ?? run).CheckpointPath(step);
        Assert.Equal(1, code);
        string line = error.TrimEnd('\n').Split('\n')[^1];
        Assert.StartsWith($"skiff: {Path.Combine(run, Path.GetFileName(path))}: checkpoint: cannot be written: ", line);
        Assert.EndsWith($"; when that is mended, 'skiff train --resume {run}' goes on from the checkpoint before", line);
        // Nothing of it stays, and the one before it is whole.
        Assert.Empty(Directory.GetFileSystemEntries(at ?? run, ".*.tmp"));
        Assert.Equal([3L], RunFolder.Open(at ?? run).Checkpoints());
        Assert.Equal(3, Checkpoint.Open(RunFolder.Open(at ?? run).CheckpointPath(3)).Step);
    }
}
