using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>Draws from a generator whose numbers do not change from release to release.</summary>
internal static class RandomChoice
{
    /// <summary>A whole number from 0 up to but not including a limit.</summary>
    public static int Below(this SplitMix64 random, int limit) => (int)(random.NextDouble() * limit);

    /// <summary>One of a list.</summary>
    public static T Of<T>(this SplitMix64 random, IReadOnlyList<T> list) => list[random.Below(list.Count)];

    /// <summary>Some different ones of a list, in random order.</summary>
    public static T[] Several<T>(this SplitMix64 random, IReadOnlyList<T> list, int count)
    {
        T[] all = [.. list];
        for (int i = 0; i < count; i++)
        {
            int j = i + random.Below(all.Length - i);
            (all[i], all[j]) = (all[j], all[i]);
        }

        return all[..count];
    }
}
