using System.Globalization;
using System.Text.RegularExpressions;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// What one run leaves: <c>recipe.yaml</c> as it was understood, <c>metrics.jsonl</c>, a <c>step-000500</c> for each checkpoint that is
/// kept, and at the end the model in <c>model</c>, with the adapters that it was made by in <c>adapter</c>.
/// </summary>
public sealed partial class RunFolder
{
    private const string RecipeFile = "recipe.yaml";

    private readonly FileStream? _lock;
    private readonly bool _made;

    private RunFolder(string path, FileStream? held, bool made = false) => (Path, _lock, _made) = (path, held, made);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The metrics of training, a line of JSON each.</summary>
    public string MetricsPath => System.IO.Path.Combine(Path, "metrics.jsonl");

    /// <summary>The model that the run ends with.</summary>
    public string ModelPath => System.IO.Path.Combine(Path, "model");

    /// <summary>The adapters of a run that trained such, in PEFT's form.</summary>
    public string AdapterPath => System.IO.Path.Combine(Path, "adapter");

    /// <summary>The tokenizer that was trained for the run, where one was.</summary>
    public string TokenizerPath => TokenizerPathOf(Path);

    private static string TokenizerPathOf(string path) => System.IO.Path.Combine(path, "tokenizer");

    /// <summary>
    /// The tokenizer that was trained for the run of a folder, or null. What lies there without a recipe is of a beginning that was
    /// interrupted or refused: it may be for another recipe, and counts for nothing.
    /// </summary>
    public static string? TrainedTokenizer(string path) => Exists(path) && Directory.Exists(TokenizerPathOf(path)) ? TokenizerPathOf(path) : null;

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
            bool made = !Directory.Exists(path);
            Directory.CreateDirectory(path);
            FileStream held = new(System.IO.Path.Combine(path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            RunFolder folder = new(path, held, made);
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

    /// <summary>The same where the run could not begin; a folder that was made for it goes.</summary>
    public void Abandon()
    {
        End();
        if (_made && !Exists(Path))
            Directory.Delete(Path, recursive: true);
    }

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

    /// <summary>The newest checkpoint that is whole, or null where there is none at all; what is not whole is told and passed over.</summary>
    /// <exception cref="InvalidInputException">There are some and none is whole: whether to lose the run is for its owner to say.</exception>
    public Checkpoint? Newest(Action<string> note)
    {
        IReadOnlyList<long> steps = Checkpoints();
        for (int i = steps.Count - 1; i >= 0; i--)
        {
            try
            {
                return Checkpoint.Open(CheckpointPath(steps[i]));
            }
            catch (InvalidInputException e)
            {
                note(i > 0 ? $"{e.Message}; the checkpoint before it is used" : e.Message);
            }
        }

        return steps.Count == 0 ? null : throw new InvalidInputException(
            Path, "checkpoint", $"none of the {steps.Count} that are here is whole ({string.Join(", ", steps)}): restore one, or remove the folder to begin anew");
    }

    /// <summary>Removes all but the last checkpoints up to the newest, and the best one.</summary>
    /// <param name="keep">How many of the last stay.</param>
    /// <param name="best">The step of the best one, or null.</param>
    /// <param name="newest">The step saved last. What lies behind it was found not to be whole when the run went on.</param>
    public void Thin(int keep, long? best, long newest)
    {
        IReadOnlyList<long> steps = Checkpoints();
        foreach (long step in steps.Where(step => step > newest).Concat(steps.Where(step => step <= newest).SkipLast(keep).Where(step => step != best)))
        {
            // Without its state it counts no more, should the removal be interrupted.
            File.Delete(System.IO.Path.Combine(CheckpointPath(step), Checkpoint.StateFile));
            Directory.Delete(CheckpointPath(step), recursive: true);
        }
    }

    // What a killed process was writing.
    private void RemoveTemporaries()
    {
        foreach (FileSystemInfo left in new DirectoryInfo(Path).EnumerateFileSystemInfos(".*.tmp").Where(left => TemporaryName().IsMatch(left.Name)))
        {
            if (left is DirectoryInfo folder)
                folder.Delete(recursive: true);
            else
                left.Delete();
        }
    }

    // A model's folder is filled under a name made from the one that it gets, which may be temporary itself.
    [GeneratedRegex(@"^\.+(step-\d+|model|adapter|tokenizer|recipe\.yaml|metrics\.jsonl)\.(.+\.)?tmp$")]
    private static partial Regex TemporaryName();

    [GeneratedRegex(@"^step-(\d{6,18})$")]
    private static partial Regex CheckpointName();
}
