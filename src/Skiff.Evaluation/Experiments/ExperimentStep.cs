using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>A piece of an experiment that leaves figures behind; interrupted, it is done again.</summary>
/// <param name="Name">Its file in <c>steps/</c>.</param>
/// <param name="Cost">How long it takes beside the others, for the time that is left.</param>
/// <param name="Key">All that decides its figures, but for the steps that it builds on: with another key it is done again, and what builds on it.</param>
/// <param name="After">Steps before it that it builds on.</param>
/// <param name="Run">Does it.</param>
public sealed record ExperimentStep(string Name, double Cost, string Key, IReadOnlyList<string> After, Func<ExperimentContext, JsonObject> Run);

/// <summary>What a step is given.</summary>
/// <param name="Folder">Where all steps keep what they make.</param>
/// <param name="Data">The data folder.</param>
/// <param name="Key">The step's key and all that it builds on, as one: what another left behind was made otherwise.</param>
/// <param name="Figures">Those of the steps it builds on, by name.</param>
/// <param name="Note">Takes a line for whoever waits.</param>
/// <param name="Stop">Ends the work with an <see cref="OperationCanceledException"/>.</param>
public sealed record ExperimentContext(string Folder, string Data, string Key, IReadOnlyDictionary<string, JsonObject> Figures, Action<string> Note, CancellationToken Stop);

/// <summary>An experiment: its steps in order, and the page that they make.</summary>
/// <param name="Name">What the command calls it.</param>
/// <param name="Description">One line.</param>
/// <param name="Steps">The steps of a size.</param>
/// <param name="Page">The Markdown, from the figures of all steps by name.</param>
public sealed record Experiment(string Name, string Description, Func<ExperimentSize, IReadOnlyList<ExperimentStep>> Steps, Func<IReadOnlyDictionary<string, JsonObject>, string> Page)
{
    /// <summary>There is a version with larger models.</summary>
    public bool HasLarge { get; init; }

    /// <summary>Pictures beside the page, SVG by file name.</summary>
    public Func<IReadOnlyDictionary<string, JsonObject>, IReadOnlyDictionary<string, string>> Pictures { get; init; } = _ => new Dictionary<string, string>();

    /// <summary>Those that there are.</summary>
    public static IReadOnlyList<Experiment> All { get; } = [AnchorExperiment.Create(), CompressionExperiment.Create()];
}

/// <summary>How much of an experiment is run.</summary>
public enum ExperimentSize
{
    /// <summary>A minute's worth, to see that all of it runs.</summary>
    Smoke,

    /// <summary>What its page is about.</summary>
    Usual,

    /// <summary>That, and larger models.</summary>
    Large,
}
