using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>What a text of the tiny world asks for.</summary>
internal enum WorldSkill
{
    /// <summary>Who does what in which town: the same in all texts, the towns more and less often named (as 1 / rank). Known or not.</summary>
    Facts,

    /// <summary>Sums of small numbers.</summary>
    Counting,

    /// <summary>Who has a thing that was given or taken.</summary>
    Coreference,

    /// <summary>Where a thing is that was moved.</summary>
    Tracking,
}

/// <summary>
/// A made-up world in plain English that a model of a million parameters can learn, with four skills that a loss alone does not tell apart.
/// Texts never end; a seed is a world of its own.
/// </summary>
internal sealed class TinyWorld
{
    private const int Towns = 40, PiecesOfText = 8, Choices = 4, MostSum = 12;

    private static readonly string[] s_people = ["Anna", "Ben", "Cora", "Dan", "Ella", "Finn", "Gus", "Hana", "Ida", "Jack", "Kate", "Luke", "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Ugo", "Vera", "Will", "Zoe", "Theo"];
    private static readonly string[] s_jobs = ["baker", "smith", "teacher"];
    private static readonly string[] s_things = ["ball", "cup", "book", "hat", "lamp", "coin", "drum", "rope", "bell", "doll", "key", "map"];
    private static readonly string[] s_places = ["box", "shed", "barn", "yard", "hall", "kitchen", "garden", "cellar", "attic", "tower"];
    private static readonly string[] s_numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    private static readonly string[] s_starts = ["Mill", "Oak", "Stone", "River", "Sand", "Ash", "Cold", "Deep"], s_ends = ["brook", "field", "ford", "ham", "wick"];

    private readonly string[] _towns;
    private readonly int[,] _who;

    /// <summary>A world whose facts follow from a seed.</summary>
    public TinyWorld(ulong seed)
    {
        SplitMix64 random = new(seed);
        _towns = random.Several([.. s_starts.SelectMany(start => s_ends.Select(end => start + end))], Towns);
        _who = new int[Towns, s_jobs.Length];
        for (int town = 0; town < Towns; town++)
        {
            for (int job = 0; job < s_jobs.Length; job++)
                _who[town, job] = random.Below(s_people.Length);
        }
    }

    /// <summary>A text for training: pieces of all skills, in any order.</summary>
    public string Text(SplitMix64 random) => string.Join(' ', Enumerable.Range(0, PiecesOfText).Select(_ =>
    {
        ChoiceItem item = Item((WorldSkill)random.Below(Enum.GetValues<WorldSkill>().Length), random);
        return string.Join(' ', item.Context.Append($"{item.Question}{item.Choices[item.Gold]}."));
    })) + "\n";

    /// <summary>A question of a skill; its context alone, with the world's facts, has the answer.</summary>
    public ChoiceItem Item(WorldSkill skill, SplitMix64 random) => skill switch
    {
        WorldSkill.Facts => Fact(random),
        WorldSkill.Counting => Count(random),
        WorldSkill.Coreference => Coreference(random),
        _ => Track(random),
    };

    private ChoiceItem Fact(SplitMix64 random)
    {
        int town = Zipf(random), job = random.Below(s_jobs.Length), who = _who[town, job];
        return Choice([], $"The {s_jobs[job]} of {_towns[town]} is", s_people[who], random.Several([.. s_people.Where(person => person != s_people[who])], Choices - 1), random);
    }

    private static ChoiceItem Count(SplitMix64 random)
    {
        int first = 1 + random.Below(MostSum / 2), more = 1 + random.Below(MostSum - first);
        string who = random.Of(s_people), thing = random.Of(s_things);
        string[] others = random.Several([.. s_numbers[1..].Where(number => number != s_numbers[first + more])], Choices - 1);
        return Choice([$"{who} has {s_numbers[first]} {thing}s.", $"{who} gets {s_numbers[more]} more."], $"Now {who} has", s_numbers[first + more], others, random, $" {thing}s");
    }

    private static ChoiceItem Coreference(SplitMix64 random)
    {
        string[] people = random.Several(s_people, 2);
        string thing = random.Of(s_things);
        bool given = random.Below(2) == 0;
        string told = given ? $"{people[0]} gave {people[1]} the {thing}." : $"{people[0]} took the {thing} from {people[1]}.";
        return Choice([told], $"The {thing} is now with", people[given ? 1 : 0], [people[given ? 0 : 1]], random);
    }

    private static ChoiceItem Track(SplitMix64 random)
    {
        string[] things = random.Several(s_things, 2), places = random.Several(s_places, Choices);
        string who = random.Of(s_people);
        return Choice(
            [$"The {things[0]} is in the {places[0]}.", $"The {things[1]} is in the {places[1]}.", $"{who} moves the {things[0]} to the {places[2]}."],
            $"Now the {things[0]} is in the", places[2], [places[0], places[1], places[3]], random);
    }

    private static ChoiceItem Choice(string[] context, string question, string right, string[] wrong, SplitMix64 random, string behind = "")
    {
        List<string> choices = [.. wrong.Select(other => " " + other + behind)];
        int gold = random.Below(choices.Count + 1);
        choices.Insert(gold, " " + right + behind);
        return new ChoiceItem(context, question, choices, gold);
    }

    // Town r is named 1 / (r + 1) times as often as the first.
    private static int Zipf(SplitMix64 random)
    {
        double all = Enumerable.Range(1, Towns).Sum(rank => 1.0 / rank), at = random.NextDouble() * all;
        int town = 0;
        for (double sum = 1; sum < at && town < Towns - 1; sum += 1.0 / (town + 1))
            town++;
        return town;
    }
}
