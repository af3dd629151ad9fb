using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>Made-up worlds, one a seed, in which four skills can be told apart; new texts are of another world.</summary>
internal sealed class WorldTier : CompressionTier
{
    // Worlds of new texts are numbered from here.
    private const int Others = 100;

    public override string Name => "world";

    public override string What => "Made-up worlds, one for each of three teachers, whose texts ask for facts of the world, sums, who has what and where a thing is";

    public override int TeacherSteps => 4880;

    public override IReadOnlyList<CompressionArm> ArmsOf(ExperimentSize size) => size != ExperimentSize.Smoke ? CompressionArm.All
        : [.. CompressionArm.All.Where(arm => arm.OnText || arm.Shifted || arm.Start == StudentStart.Half || arm.Name == "half-states")];

    public override IReadOnlyList<string> Probes { get; } = Enum.GetNames<WorldSkill>();

    protected override int Vocabulary => 1024;

    public override IEnumerable<ChoiceItem> Items(ExperimentContext context, string probe, int seed, bool shifted)
    {
        WorldSkill skill = Enum.Parse<WorldSkill>(probe);
        TinyWorld world = World(seed, shifted);
        SplitMix64 random = new((ulong)(6000 + seed));
        while (true)
            yield return world.Item(skill, random);
    }

    protected override string FileOf(int seed, bool shifted) => $"world-{(shifted ? Others : 0) + seed}.jsonl";

    protected override void WriteTexts(ExperimentContext context, int seed, bool smoke)
    {
        foreach (bool shifted in new[] { false, true })
        {
            TinyWorld world = World(seed, shifted);
            SplitMix64 random = new((ulong)(1000 + seed));
            StoryText.Write(Corpus(context, seed, shifted), Enumerable.Range(0, smoke ? 1000 : shifted ? 20_000 : 100_000).Select(_ => world.Text(random)));
        }
    }

    protected override IEnumerable<string> Texts(ExperimentContext context, int seed, bool shifted, SplitMix64 random, int count)
    {
        TinyWorld world = World(seed, shifted);
        return Enumerable.Range(0, count).Select(_ => world.Text(random));
    }

    private static TinyWorld World(int seed, bool shifted) => new((ulong)((shifted ? Others : 0) + seed));
}
