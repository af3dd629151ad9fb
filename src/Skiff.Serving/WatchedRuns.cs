using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Serving;

/// <summary>The runs of a page: folders that are runs, and all runs in folders that hold some, also those that begin later.</summary>
internal sealed class WatchedRuns
{
    private readonly Lock _lock = new();
    private readonly List<WatchedRun> _runs = [];
    private readonly HashSet<string> _known = [];
    private readonly List<string> _parents = [];
    private readonly TimeProvider _time;

    /// <summary>A run is a folder with metrics, or with a recipe where the first line is still to come.</summary>
    /// <exception cref="InvalidInputException">A folder is missing, or neither a run nor one that holds runs.</exception>
    public WatchedRuns(IReadOnlyList<string> folders, TimeProvider time)
    {
        _time = time;
        foreach (string folder in folders)
        {
            if (!Directory.Exists(folder))
                throw new InvalidInputException(folder, "run", File.Exists(folder) ? "is a file: name the run's folder" : "no such folder");
            if (HasMetrics(folder) || File.Exists(Path.Combine(folder, WatchedRun.RecipeFile)))
                Add(folder);
            else if (!Directory.EnumerateDirectories(folder).Any(HasMetrics))
                throw new InvalidInputException(folder, "run", $"holds no {MetricsReader.FileName}, and neither does a folder in it");
            else
                _parents.Add(folder);
        }

        List();
    }

    /// <summary>The runs there are now. A run keeps its place; new ones are added behind.</summary>
    public IReadOnlyList<WatchedRun> List()
    {
        lock (_lock)
        {
            // A parent that went away takes none of its runs along: their curves stay.
            foreach (string parent in _parents.Where(Directory.Exists))
            {
                foreach (string folder in Directory.EnumerateDirectories(parent).Where(HasMetrics).Order(StringComparer.Ordinal))
                    Add(folder);
            }

            return [.. _runs];
        }
    }

    private static bool HasMetrics(string folder) => File.Exists(Path.Combine(folder, MetricsReader.FileName));

    private void Add(string folder)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!_known.Add(full))
            return;
        string name = Path.GetFileName(full);
        _runs.Add(new WatchedRun(name.Length == 0 || _runs.Any(run => run.Name == name) ? folder : name, folder, _time));
    }
}
