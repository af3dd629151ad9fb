using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>
/// The texts of the anchor experiment: children's books and stories, and made-up episodes whose sentences between come from the stories.
/// Whole books and stories are kept for measuring.
/// </summary>
internal sealed class AnchorCorpus
{
    private AnchorCorpus(IReadOnlyList<string> files, Passages heldOutPassages, IReadOnlyList<string> heldOutTexts, string heldOutBook) =>
        (Files, HeldOutPassages, HeldOutTexts, HeldOutBook) = (files, heldOutPassages, heldOutTexts, heldOutBook);

    /// <summary>The files of training: <c>text</c>, and episodes <c>near</c>, <c>far</c> and <c>echo</c>.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Sentences for items that are measured on.</summary>
    public Passages HeldOutPassages { get; }

    /// <summary>Stories and pieces of books that are measured on.</summary>
    public IReadOnlyList<string> HeldOutTexts { get; }

    /// <summary>A whole book that is measured on.</summary>
    public string HeldOutBook { get; }

    /// <summary>Reads the data folder and writes the files of training, unless they are there.</summary>
    /// <param name="data">The data folder.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="episodes">How many episodes.</param>
    public static AnchorCorpus Build(string data, string folder, int episodes)
    {
        StoryText real = StoryText.Read(data);
        string text = Path.Combine(folder, "text.jsonl"), near = Path.Combine(folder, "near.jsonl"), far = Path.Combine(folder, "far.jsonl"), echo = Path.Combine(folder, "echo.jsonl");
        Directory.CreateDirectory(folder);
        if (!File.Exists(text))
            StoryText.Write(text, real.Training);
        Episodes world = new(new Passages(real.Stories));
        SplitMix64 random = new(1);
        foreach ((string path, Func<string> next) in new (string, Func<string>)[] { (near, () => world.Text(random, far: false)), (far, () => world.Text(random, far: true)), (echo, () => world.Echo(random)) })
        {
            if (!File.Exists(path))
                StoryText.Write(path, Enumerable.Range(0, episodes).Select(_ => next()));
        }

        return new AnchorCorpus([text, near, far, echo], new Passages(real.HeldOutStories), real.HeldOut, real.HeldOutBook);
    }
}
