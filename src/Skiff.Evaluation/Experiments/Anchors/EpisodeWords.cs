namespace Skiff.Evaluation;

/// <summary>The words of the made-up episodes: common ones, so that a small vocabulary holds most of them whole.</summary>
internal static class EpisodeWords
{
    /// <summary>Things that are put somewhere.</summary>
    public static IReadOnlyList<string> Things { get; } =
    [
        "dog", "cat", "horse", "cow", "pig", "sheep", "goat", "duck", "hen", "mouse", "fox", "bear", "hat", "coat", "shoe", "sock", "shirt", "dress", "cap", "glove",
        "scarf", "boot", "belt", "apron", "bread", "cheese", "apple", "pear", "soup", "cake", "butter", "egg", "honey", "milk", "plum", "pie", "hammer", "saw",
        "axe", "nail", "spade", "rake", "rope", "ladder", "knife", "brush", "broom", "bucket", "chair", "table", "bed", "desk", "bench", "shelf", "stool", "lamp",
    ];

    /// <summary>Where they are put; drawn anew in each episode.</summary>
    public static IReadOnlyList<string> Places { get; } = ["north", "south", "east", "west", "up", "down", "left", "right", "inside", "outside", "away", "back"];

    /// <summary>First names.</summary>
    public static IReadOnlyList<string> FirstNames { get; } = ["Anna", "Ben", "Cora", "Dan", "Ella", "Finn", "Gus", "Hana", "Ida", "Jack", "Kate", "Luke"];

    /// <summary>Last names; drawn anew in each episode.</summary>
    public static IReadOnlyList<string> LastNames { get; } =
        ["Stone", "Brook", "Hill", "Wood", "Field", "Lake", "Marsh", "Ford", "Bell", "Cook", "Shaw", "Lamb", "Reed", "Rose", "Snow", "West", "Young", "King", "Page", "Bird"];
}
