using System.Globalization;
using System.Text.RegularExpressions;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// What one run leaves: <c>recipe.yaml</c> as it was understood, <c>metrics.jsonl</c>, a <c>step-000500</c> for each checkpoint that is
/// kept, and at the end the model in <c>model</c>.
/// </summary>
public sealed partial class RunFolder
{
    private const string RecipeFile = "recipe.yaml";

    private readonly FileStream? _lock;

    private RunFolder(string path, FileStream? held) => (Path, _lock) = (path, held);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The metrics of training, a line of JSON each.</summary>
    public string MetricsPath => System.IO.Path.Combine(Path, "metrics.jsonl");

    /// <summary>The model that the run ends with.</summary>
    public string ModelPath => System.IO.Path.Combine(Path, "model");

    /// <summary>The tokenizer that was trained for the run, where one was.</summary>
    public string TokenizerPath => TokenizerPathOf(Path);

    internal static string TokenizerPathOf(string path) => System.IO.Path.Combine(path, "tokenizer");

    /// <summary>Whether a folder holds a run.</summary>
    public static bool Exists(string path) => File.Exists(System.IO.Path.Combine(path, RecipeFile));

    /// <summary>Opens a run to read it.</summary>
    /// <exception cref="InvalidInputException">There is none.</exception>
    public static RunFolder Open(string path) => Exists(path)
        ? new RunFolder(path, null)
        : throw new InvalidInputException(path, "run", $"no run is here: a run's folder holds {RecipeFile}");

    /// <summary>Begins a run, or opens one to go on with it, and keeps other processes from writing to it.</summary>
    /// <exception cref="InvalidInputException">Another process writes to it, or it cannot be written.</exception>
    public static RunFolder Begin(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            FileStream held = new(System.IO.Path.Combine(path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            RunFolder folder = new(path, held);
            folder.RemoveTemporaries();
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "run", $"cannot be written, or another process trains here: {e.Message}", e);
        }
    }

    /// <summary>Lets other processes write to it.</summary>
    public void End() => _lock?.Dispose();

    /// <summary>Saves the recipe as it was understood.</summary>
    public void WriteRecipe(Recipe recipe) => AtomicFile.WriteText(System.IO.Path.Combine(Path, RecipeFile), recipe.ToYaml());

    /// <summary>The recipe of the run, with changes.</summary>
    public Recipe ReadRecipe(IReadOnlyList<string> sets) => Recipe.Read(System.IO.Path.Combine(Path, RecipeFile), sets);

    /// <summary>The folder of a step's checkpoint.</summary>
    public string CheckpointPath(long step) => System.IO.Path.Combine(Path, string.Create(CultureInfo.InvariantCulture, $"step-{step:000000}"));

    /// <summary>Steps that have a checkpoint, oldest first.</summary>
    public IReadOnlyList<long> Checkpoints() => !Directory.Exists(Path) ? [] :
        [.. Directory.EnumerateDirectories(Path, "step-*").Select(folder => CheckpointName().Match(System.IO.Path.GetFileName(folder)))
            .Where(match => match.Success).Select(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Order()];

    /// <summary>The newest checkpoint that is whole, or null; what is not is told and passed over.</summary>
    public Checkpoint? Newest(Action<string> note)
    {
        foreach (long step in Checkpoints().Reverse())
        {
            try
            {
                return Checkpoint.Open(CheckpointPath(step));
            }
            catch (InvalidInputException e)
            {
                note($"{e.Message}; the checkpoint before it is used");
            }
        }

        return null;
    }

    /// <summary>Removes all but the last checkpoints and the best one.</summary>
    public void Thin(int keep, long? best)
    {
        foreach (long step in Checkpoints().SkipLast(keep).Where(step => step != best))
        {
            // Without its state it counts no more, should the removal be interrupted.
            File.Delete(System.IO.Path.Combine(CheckpointPath(step), Checkpoint.StateFile));
            Directory.Delete(CheckpointPath(step), recursive: true);
        }
    }

    // What a killed process was writing.
    private void RemoveTemporaries()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path, ".step-*.tmp").Concat(Directory.EnumerateDirectories(Path, ".model.*.tmp")))
            Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"^step-(\d{6,18})$")]
    private static partial Regex CheckpointName();
}
