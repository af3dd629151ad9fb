using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>
/// Made-up episodes in plain English whose answers stand in their own text alone: where things are put today, and what somebody's last name is.
/// Both are drawn anew each time, so nothing but the context can tell.
/// </summary>
/// <param name="passages">Real sentences to stand between.</param>
internal sealed class Episodes(Passages passages)
{
    /// <summary>Demonstrations of an item.</summary>
    public const int Shots = 5;

    /// <summary>Answers of an item of either kind.</summary>
    public const int Choices = 4;

    // Sentences between what matters, in long texts.
    private static readonly int[] s_lengths = [1, 2, 5, 5];

    // Of a text about names, as a row of training holds.
    private const int Sentences = 36;

    /// <summary>A text for training.</summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="far">With sentences between what matters; without them nearly every one of its sentences asks for something.</param>
    public string Text(SplitMix64 random, bool far)
    {
        int length = far ? random.Of(s_lengths) : 0;
        return random.Below(3) == 0 ? PlaceText(random, length) : NameText(random, length);
    }

    /// <summary>Sentences said again in other orders: whoever foretells them has learned to look up what stood behind the same words.</summary>
    public string Echo(SplitMix64 random)
    {
        string[] sentences = passages.Sentences(random, 2 + random.Below(5));
        return string.Join(random.Below(2) == 0 ? " " : "\n", Enumerable.Range(0, 4).SelectMany(round => round == 0 ? sentences : random.Several(sentences, sentences.Length))) + "\n";
    }

    /// <summary>
    /// Items that share five demonstrations, in each of which somebody comes and a thing is put somewhere; all things go to one place. The first
    /// half asks where another thing goes, the second what the last name of one of the five is, among those of four.
    /// </summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="questions">How many of each kind.</param>
    /// <param name="passageLength">Length of each demonstration's passage, by <paramref name="lengthOf"/>.</param>
    /// <param name="lengthOf">A sentence's length.</param>
    public ChoiceItem[] Items(SplitMix64 random, int questions, int passageLength, Func<string, int> lengthOf)
    {
        string[] places = random.Several(EpisodeWords.Places, Choices), things = random.Several(EpisodeWords.Things, Shots + questions);
        (string First, string Last)[] people = People(random, Shots);
        int gold = random.Below(Choices);
        string[] demonstrations = [.. things[..Shots].Zip(people).Select(pair =>
            Demonstration([.. passages.OfLength(random, passageLength, lengthOf), Sentence([pair.Second])], pair.First, places[gold]))];
        IEnumerable<ChoiceItem> put = things[Shots..].Select(thing => new ChoiceItem(demonstrations, $"Put the {thing}", [.. places.Select(place => " " + place)], gold));
        IEnumerable<ChoiceItem> named = Enumerable.Range(0, questions).Select(_ =>
        {
            (string First, string Last)[] asked = random.Several(people, Choices);
            int at = random.Below(Choices);
            return new ChoiceItem(demonstrations, $"Here is {asked[at].First}", [.. asked.Select(person => " " + person.Last)], at);
        });
        return [.. put, .. named];
    }

    /// <summary>An item about somebody's last name, so many sentences back.</summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="distance">Sentences between the name and the question.</param>
    /// <param name="together">People in the sentence.</param>
    public ChoiceItem NameItem(SplitMix64 random, int distance, int together)
    {
        (string First, string Last)[] people = People(random, Choices);
        int asked = random.Below(together);
        return new ChoiceItem(
            [Sentence(people[..together]), .. passages.Sentences(random, distance)], $"Here is {people[asked].First}", [.. people.Select(person => " " + person.Last)], asked);
    }

    private string PlaceText(SplitMix64 random, int length)
    {
        string place = random.Of(EpisodeWords.Places);
        (string First, string Last)[] people = People(random, 1 + random.Below(Shots));
        int lines = length == 0 ? 20 : length > 3 ? 7 : 6 + random.Below(7);
        return string.Concat(random.Several(EpisodeWords.Things, lines).Select(thing =>
        {
            string[] passage = passages.Sentences(random, length == 0 ? 0 : random.Below(length + 1));
            return Demonstration(random.Below(2) == 0 ? passage : [.. passage, Sentence([random.Of(people)])], thing, place);
        }));
    }

    // Who is who, and then again and again: with nothing between, nearly every sentence asks for a name.
    private string NameText(SplitMix64 random, int between)
    {
        (string First, string Last)[] people = People(random, 1 + random.Below(Shots));
        int rounds = Math.Clamp(Sentences / (between + 1) - people.Length, 3, 20);
        string gap = random.Below(4) == 0 ? " " : "\n";
        List<string> pieces = random.Below(2) == 0 ? [Told(people)] : [.. people.Select(person => Told([person]))];
        for (int round = 0; round < rounds; round++)
            pieces.Add(Told([random.Of(people)]));
        return string.Join(gap, pieces) + "\n";

        string Told(IReadOnlyList<(string First, string Last)> who) =>
            string.Join(' ', passages.Sentences(random, between == 0 ? 0 : random.Below(2 * between + 1)).Append(Sentence(who)));
    }

    private static (string First, string Last)[] People(SplitMix64 random, int count) =>
        [.. random.Several(EpisodeWords.FirstNames, count).Zip(random.Several(EpisodeWords.LastNames, count))];

    private static string Sentence(IReadOnlyList<(string First, string Last)> people) =>
        "Here is " + string.Join(" and ", people.Select(person => $"{person.First} {person.Last}")) + ".";

    private static string Demonstration(string[] passage, string thing, string place) => string.Join(' ', passage.Append($"Put the {thing} {place}.")) + "\n";
}
