using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>
/// Runs an experiment's steps in a folder. Figures lie in <c>steps/NAME.json</c>, written whole: a run that was interrupted anywhere goes on
/// with the first step whose figures are not there, or were made by other settings.
/// </summary>
public static class ExperimentRunner
{
    /// <summary>The page that a run ends with.</summary>
    public const string PageFile = "page.md";

    /// <summary>Runs what is not there yet and writes the page.</summary>
    /// <param name="experiment">Which.</param>
    /// <param name="folder">The folder; made where it is not there.</param>
    /// <param name="data">The data folder.</param>
    /// <param name="size">How much of it.</param>
    /// <param name="progress">Told before each step, and where there is something to say within.</param>
    /// <param name="stop">Ends the work between two steps or within one.</param>
    /// <returns>The page's text.</returns>
    /// <exception cref="InvalidInputException">Something is missing, or another process works in the folder.</exception>
    public static string Run(Experiment experiment, string folder, string data, ExperimentSize size, Action<ExperimentProgress> progress, CancellationToken stop)
    {
        IReadOnlyList<ExperimentStep> steps = experiment.Steps(size);
        using FileStream held = Hold(folder);
        Dictionary<string, JsonObject> figures = [];
        double all = steps.Sum(step => step.Cost), done = 0, spent = 0, spentCost = 0;
        Dictionary<string, string> keys = [];
        for (int i = 0; i < steps.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            ExperimentStep step = steps[i];
            string key = keys[step.Name] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', [experiment.Name, step.Name, step.Key, .. step.After.Select(name => keys[name])]))));
            string path = Path.Combine(folder, "steps", step.Name + ".json");
            if (Read(path, key) is { } there)
                figures[step.Name] = there;
            else
            {
                double left = spentCost > 0 ? spent / spentCost * (all - done) : double.NaN;
                void Tell(string line) => progress(new ExperimentProgress(i + 1, steps.Count, step.Name, left, line));
                Tell("");
                Stopwatch watch = Stopwatch.StartNew();
                Directory.CreateDirectory(Path.Combine(folder, "steps"));
                JsonObject made = step.Run(new ExperimentContext(folder, data, key, step.After.ToDictionary(name => name, name => figures[name]), Tell, stop));
                JsonObject file = new() { ["key"] = key, ["seconds"] = Math.Round(watch.Elapsed.TotalSeconds, 1), ["figures"] = made };
                AtomicFile.Write(path, stream => stream.Write(JsonSerializer.SerializeToUtf8Bytes(file)));
                // As the next run would find them.
                figures[step.Name] = Read(path, key)!;
                (spent, spentCost) = (spent + watch.Elapsed.TotalSeconds, spentCost + step.Cost);
            }

            done += step.Cost;
        }

        string page = experiment.Page(figures);
        AtomicFile.Write(Path.Combine(folder, PageFile), stream => stream.Write(Encoding.UTF8.GetBytes(page)));
        foreach ((string file, string svg) in experiment.Pictures(figures))
            AtomicFile.WriteText(Path.Combine(folder, file), svg);
        return page;
    }

    // One that cannot be read, or was made otherwise, is as good as none.
    private static JsonObject? Read(string path, string key)
    {
        try
        {
            return File.Exists(path) && JsonNode.Parse(File.ReadAllBytes(path)) is JsonObject file && file["key"]?.ToString() == key ? file["figures"] as JsonObject : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static FileStream Hold(string folder)
    {
        string path = Path.Combine(folder, "lock");
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(folder, "folder", $"cannot be worked in: {e.Message} Does another run work there?", e);
        }
    }
}

/// <summary>Where a run stands.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="Steps">How many there are.</param>
/// <param name="Name">The step's name.</param>
/// <param name="SecondsLeft">By the pace so far; NaN before the first step is done.</param>
/// <param name="Line">Something to say, or empty.</param>
public readonly record struct ExperimentProgress(int Step, int Steps, string Name, double SecondsLeft, string Line);
