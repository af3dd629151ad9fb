using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>A question with a few answers, one of them right, behind demonstrations or facts.</summary>
/// <param name="Context">What stands before the question, piece by piece: demonstrations, or sentences.</param>
/// <param name="Question">The question, to be continued by an answer.</param>
/// <param name="Choices">Answers, each with the space that it begins with.</param>
/// <param name="Gold">The right one.</param>
internal sealed record EpisodeItem(IReadOnlyList<string> Context, string Question, IReadOnlyList<string> Choices, int Gold);

/// <summary>
/// Made-up episodes in plain English whose answers stand in their own text alone: which kind of thing goes where, and whose last name is which. What
/// goes where is drawn anew each time, so nothing but the context can tell.
/// </summary>
/// <param name="passages">Real sentences to stand between.</param>
internal sealed class Episodes(Passages passages)
{
    /// <summary>Kinds, and so demonstrations, of an item.</summary>
    public const int Shots = 5;

    // Sentences between what matters, in training: short ones teach what to do, long ones to do it from afar.
    private static readonly int[] s_lengths = [0, 0, 1, 2, 4, 8];

    /// <summary>A text for training.</summary>
    public string Text(SplitMix64 random) => random.Below(2) == 0 ? LabelText(random) : RecallText(random);

    /// <summary>
    /// Items that share five demonstrations, one of each kind, in the order of <see cref="EpisodeItem.Context"/>; the question's kind is that of
    /// one of them.
    /// </summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="questions">How many.</param>
    /// <param name="passageLength">Length of each demonstration's passage, by <paramref name="lengthOf"/>.</param>
    /// <param name="lengthOf">A sentence's length.</param>
    /// <returns>The items, and for each the place of the demonstration that answers it.</returns>
    public (EpisodeItem Item, int Demonstration)[] LabelItems(SplitMix64 random, int questions, int passageLength, Func<string, int> lengthOf)
    {
        Mapping mapping = new(random, Shots);
        string[] demonstrations = [.. mapping.Order.Select(kind => Demonstration(passages.OfLength(random, passageLength, lengthOf), random.Of(EpisodeWords.Kinds[kind]), mapping.Of(kind)))];
        string[] choices = [.. mapping.Order.Select(kind => " " + mapping.Of(kind))];
        return [.. Enumerable.Range(0, questions).Select(_ =>
        {
            int at = random.Below(Shots);
            // Another word of the kind: copying the sentence does not do.
            string word;
            do
                word = random.Of(EpisodeWords.Kinds[mapping.Order[at]]);
            while (demonstrations[at].Contains($"Put the {word} ", StringComparison.Ordinal));
            return (new EpisodeItem(demonstrations, $"Put the {word}", choices, at), at);
        })];
    }

    /// <summary>An item about the names of four, the one asked for so many sentences back.</summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="distance">Sentences between the fact and the question.</param>
    /// <param name="together">Facts in a sentence: 1, 2 or 4.</param>
    public EpisodeItem RecallItem(SplitMix64 random, int distance, int together)
    {
        (string First, string Last)[] facts = Facts(random, 4);
        List<string> sentences = [.. facts.Chunk(together).Select(Sentence)];
        // The sentence that is asked for comes last of those with facts.
        int asked = facts.Length - 1 - random.Below(together);
        sentences.AddRange(passages.Sentences(random, distance));
        return new EpisodeItem(sentences, $"Here is {facts[asked].First}", [.. facts.Select(fact => " " + fact.Last)], asked);
    }

    private string LabelText(SplitMix64 random)
    {
        Mapping mapping = new(random, 2 + random.Below(Shots - 1));
        int length = random.Of(s_lengths), lines = length > 3 ? 8 : 8 + random.Below(9);
        return string.Concat(Enumerable.Range(0, lines).Select(line =>
        {
            // Each kind once first, then at random: every line from there on is a question with its answer.
            int kind = line < mapping.Order.Length ? mapping.Order[line] : random.Of(mapping.Order);
            int sentences = line < mapping.Order.Length ? length : Math.Min(length, random.Below(2));
            return Demonstration(passages.Sentences(random, sentences), random.Of(EpisodeWords.Kinds[kind]), mapping.Of(kind));
        }));
    }

    private string RecallText(SplitMix64 random)
    {
        (string First, string Last)[] facts = Facts(random, 2 + random.Below(5));
        List<string> sentences = [];
        int between = random.Of(s_lengths);
        foreach ((string, string)[] together in facts.Chunk(1 << random.Below(3)))
        {
            sentences.Add(Sentence(together));
            sentences.AddRange(passages.Sentences(random, random.Below(1 + Math.Min(between, 2))));
        }

        sentences.AddRange(passages.Sentences(random, 2 * between));
        // Asked in another order each time round.
        for (int round = 0; round < 2; round++)
        {
            foreach (int asked in random.Several([.. Enumerable.Range(0, facts.Length)], facts.Length))
            {
                sentences.Add(Sentence([facts[asked]]));
                sentences.AddRange(passages.Sentences(random, random.Below(1 + Math.Min(between, 1))));
            }
        }

        return string.Join(' ', sentences) + "\n";
    }

    private static (string First, string Last)[] Facts(SplitMix64 random, int count) =>
        [.. random.Several(EpisodeWords.FirstNames, count).Zip(random.Several(EpisodeWords.LastNames, count))];

    private static string Sentence(IReadOnlyList<(string First, string Last)> facts) =>
        "Here is " + string.Join(" and ", facts.Select(fact => $"{fact.First} {fact.Last}")) + ".";

    private static string Demonstration(string[] passage, string word, string place) => string.Join(' ', passage.Append($"Put the {word} {place}.")) + "\n";

    /// <summary>Which kind goes where.</summary>
    private sealed class Mapping
    {
        private readonly Dictionary<int, string> _places;

        public Mapping(SplitMix64 random, int kinds)
        {
            Order = random.Several([.. Enumerable.Range(0, EpisodeWords.Kinds.Count)], kinds);
            _places = Order.Zip(random.Several(EpisodeWords.Places, kinds)).ToDictionary(pair => pair.First, pair => pair.Second);
        }

        public int[] Order { get; }

        public string Of(int kind) => _places[kind];
    }
}
