using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>The data folder's stories and children's books, the same for all seeds.</summary>
internal class TextTier : CompressionTier
{
    private const int Choices = 4;

    private static (string Data, StoryText Text)? s_read;

    public override string Name => "text";

    public override string What => "Stories and children's books of the data folder, the same for three teachers";

    public override int TeacherSteps => 2440;

    public override IReadOnlyList<CompressionArm> ArmsOf(ExperimentSize size) => [.. CompressionArm.All.Where(arm => size == ExperimentSize.Smoke ? arm.OnLarge : arm.OnText)];

    public override IReadOnlyList<string> Probes { get; } = ["NextSentence", "RecurringWord", "WordOrder"];

    protected override int Vocabulary => 4096;

    public override IEnumerable<ChoiceItem> Items(ExperimentContext context, string probe, int seed, bool shifted)
    {
        Passages passages = new(Stories(context).HeldOutStories);
        SplitMix64 random = new((ulong)(6000 + seed));
        while (true)
        {
            ChoiceItem? item = probe switch
            {
                "NextSentence" => NextSentence(passages, random),
                "RecurringWord" => RecurringWord(passages, random),
                _ => WordOrder(passages, random),
            };
            if (item is not null)
                yield return item;
        }
    }

    protected override string FileOf(int seed, bool shifted) => "text.jsonl";

    protected override void WriteTexts(ExperimentContext context, int seed, bool smoke)
    {
        if (seed == 1)
            StoryText.Write(Corpus(context, seed, shifted: false), Stories(context).Training.Take(smoke ? 1000 : int.MaxValue));
    }

    protected override IEnumerable<string> Texts(ExperimentContext context, int seed, bool shifted, SplitMix64 random, int count) =>
        random.Several(Stories(context).HeldOut, count);

    // Every model is measured on them: they are read once.
    private static StoryText Stories(ExperimentContext context)
    {
        if (s_read?.Data != context.Data)
            s_read = (context.Data, StoryText.Read(context.Data));
        return s_read.Value.Text;
    }

    // Which of four sentences stands behind three.
    private static ChoiceItem NextSentence(Passages passages, SplitMix64 random)
    {
        string[] passage = passages.Run(random, 4);
        string[] others = [.. Enumerable.Range(0, Choices - 1).Select(_ => passages.Run(random, 1)[0])];
        return Item(passage[..3], "", passage[3], others, random);
    }

    // The last word of a sentence, where the sentences before it have it too, among others of theirs.
    private static ChoiceItem? RecurringWord(Passages passages, SplitMix64 random)
    {
        string[] passage = passages.Run(random, 4), last = passage[3].TrimEnd('.').Split(' ');
        string[] words = [.. passage[..3].SelectMany(sentence => sentence.Split(' ')).Select(word => word.Trim('.', ',', '!', '?')).Where(word => word.Length > 3 && word.All(char.IsLetter)).Distinct()];
        return words.Length >= Choices && words.Contains(last[^1])
            ? Item(passage[..3], string.Join(' ', last[..^1]), last[^1], random.Several([.. words.Where(word => word != last[^1])], Choices - 1), random)
            : null;
    }

    // A sentence, among three with two neighbours exchanged.
    private static ChoiceItem? WordOrder(Passages passages, SplitMix64 random)
    {
        string[] passage = passages.Run(random, 2), words = passage[1].Split(' ');
        if (words.Length < Choices + 2)
            return null;
        string[] others = [.. random.Several([.. Enumerable.Range(1, words.Length - 3)], Choices - 1)
            .Select(at => string.Join(' ', [.. words[..at], words[at + 1], words[at], .. words[(at + 2)..]]))];
        return others.Contains(passage[1]) ? null : Item(passage[..1], "", passage[1], others, random);
    }

    private static ChoiceItem Item(string[] context, string question, string right, string[] wrong, SplitMix64 random)
    {
        List<string> choices = [.. wrong.Select(other => " " + other)];
        int gold = random.Below(Choices);
        choices.Insert(gold, " " + right);
        // Without a question the choice follows the context at once.
        return question.Length > 0 ? new ChoiceItem(context, question, choices, gold) : new ChoiceItem(context[..^1], context[^1], choices, gold);
    }
}
