using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class CheckpointTests : IDisposable
{
    private readonly TinyRun _runs = new();

    public void Dispose() => _runs.Dispose();

    [Fact]
    public void ADamagedCheckpointIsToldAndTheOneBeforeItUsed()
    {
        Recipe recipe = Begun();
        _runs.Train(_runs.Recipe("whole"));
        string newest = Path.Combine(_runs.Run("run"), "step-000006"), kept = Path.Combine(_runs.Folder, "kept");
        Copy(newest, kept);
        string[] names = [.. Directory.EnumerateFiles(newest).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];
        Assert.Equal(
            ["config.json", "generation_config.json", "model.safetensors", "optimizer.safetensors", "special_tokens_map.json", "state.json", "state.json.sha256", "tokenizer.json", "tokenizer_config.json"], names);
        Random random = new(1);
        foreach (string name in names)
        {
            byte[] whole = File.ReadAllBytes(Path.Combine(kept, name));
            foreach ((string how, byte[]? damaged) in Damage(whole, random))
            {
                string file = Path.Combine(newest, name);
                if (damaged is null)
                    File.Delete(file);
                else
                    File.WriteAllBytes(file, damaged);
                List<string> notes = [];
                Checkpoint? found = RunFolder.Open(_runs.Run("run")).Newest(notes.Add);
                Assert.True(found?.Step == 3, $"{name} {how}: step {found?.Step}");
                Assert.Contains(newest, Assert.Single(notes));
                Assert.EndsWith("the checkpoint before it is used", notes[0]);
                File.WriteAllBytes(file, whole);
                Assert.Equal(6, RunFolder.Open(_runs.Run("run")).Newest(notes.Add)?.Step);
            }
        }

        // The run itself goes on from there, and the damaged one is replaced.
        File.WriteAllBytes(Path.Combine(newest, "state.json"), []);
        List<string> told = _runs.Train(recipe, resume: true);
        Assert.Contains(told, note => note.Contains("step-000006") && note.EndsWith("the checkpoint before it is used"));
        Assert.Contains(told, note => note.StartsWith("goes on behind step 3"));
        _runs.AssertSame("whole", "run");
    }

    // With one checkpoint kept, the damaged one must not push the new one out.
    [Fact]
    public void ADamagedCheckpointDoesNotCountAmongThoseThatAreKept()
    {
        string[] sets = ["checkpoint={every: 3, keep: 1, best: false}"];
        Recipe recipe = _runs.Recipe("run", sets);
        _runs.Train(recipe, stopBehind: 3);
        Copy(Path.Combine(_runs.Run("run"), "step-000003"), Path.Combine(_runs.Folder, "three"));
        _runs.Train(recipe, resume: true, stopBehind: 6);
        Copy(Path.Combine(_runs.Folder, "three"), Path.Combine(_runs.Run("run"), "step-000003"));
        File.Delete(Path.Combine(_runs.Run("run"), "step-000006", "model.safetensors"));
        _runs.Train(recipe, resume: true, stopBehind: 4);
        Assert.Equal([4L], RunFolder.Open(_runs.Run("run")).Checkpoints());
        _runs.Train(recipe, resume: true);
        _runs.Train(_runs.Recipe("whole", sets));
        _runs.AssertSame("whole", "run");
    }

    [Fact]
    public void AStopAtTheStepOfADamagedCheckpointSavesItAnew()
    {
        Recipe recipe = Begun();
        File.WriteAllBytes(Path.Combine(_runs.Run("run"), "step-000006", "optimizer.safetensors"), []);
        // Of the next run's checkpoints none falls on step 6.
        _runs.Train(recipe with { Checkpoint = recipe.Checkpoint with { Every = 5 } }, resume: true, stopBehind: 6);
        Assert.Equal(6, Checkpoint.Open(Path.Combine(_runs.Run("run"), "step-000006")).Step);
    }

    // Beginning anew would overwrite what somebody may still want to rescue.
    [Fact]
    public void WhereNoCheckpointIsWholeTheRunIsRefusedAndLeftAsItIs()
    {
        Recipe recipe = Begun();
        foreach (string step in (string[])["step-000003", "step-000006"])
            File.Delete(Path.Combine(_runs.Run("run"), step, "state.json"));
        string[] before = Files();
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => _runs.Train(recipe, resume: true));
        Assert.Equal(_runs.Run("run"), refusal.Input);
        Assert.Equal("none of the 2 that are here is whole (3, 6): restore one, or remove the folder to begin anew", refusal.Problem);
        Assert.Equal(before, Files());

        // Without any the run has lost nothing that a checkpoint held.
        foreach (string step in (string[])["step-000003", "step-000006"])
            Directory.Delete(Path.Combine(_runs.Run("run"), step), recursive: true);
        _runs.Train(recipe, resume: true);
        _runs.Train(_runs.Recipe("whole"));
        _runs.AssertSame("whole", "run");

        string[] Files() => [.. Directory.EnumerateFiles(_runs.Run("run"), "*", SearchOption.AllDirectories).Select(file => $"{file} {new FileInfo(file).Length}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void CheckpointsWithoutTheirRecipeAreNotTakenForARun()
    {
        Recipe recipe = Begun();
        File.Delete(Path.Combine(_runs.Run("run"), "recipe.yaml"));
        foreach (bool resume in (bool[])[false, true])
            Assert.Equal("recipe.yaml", Assert.Throws<InvalidInputException>(() => _runs.Train(recipe, resume)).Field);
        Assert.Equal([3L, 6L], RunFolder.Begin(_runs.Run("run")).Checkpoints());
    }

    private Recipe Begun()
    {
        Recipe recipe = _runs.Recipe("run", "checkpoint={every: 3, keep: 9}");
        _runs.Train(recipe, stopBehind: 6);
        // The best one is kept as well.
        foreach (long step in RunFolder.Open(_runs.Run("run")).Checkpoints().Where(step => step is not (3 or 6)))
            Directory.Delete(RunFolder.Open(_runs.Run("run")).CheckpointPath(step), recursive: true);
        return recipe;
    }

    private static IEnumerable<(string How, byte[]? Bytes)> Damage(byte[] whole, Random random)
    {
        yield return ("removed", null);
        yield return ("emptied", []);
        yield return ("cut by a byte", whole[..^1]);
        yield return ("cut in the middle", whole[..(whole.Length / 2)]);
        yield return ("longer", [.. whole, 0]);
        for (int i = 0; i < 8; i++)
        {
            byte[] flipped = [.. whole];
            int at = random.Next(flipped.Length);
            flipped[at] ^= (byte)(1 << random.Next(8));
            yield return ($"flipped at byte {at}", flipped);
        }
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
    }
}
